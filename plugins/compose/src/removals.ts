/**
 * The second half of `down`: containers that have been stopped are removed while the stack is already being read. Nothing of a
 * stack's data is in them, so only a start has to wait for it.
 */
export class Removals {
  readonly #underway = new Map<string, Promise<void>>()

  /** @param removal never rejects */
  begin(directory: string, removal: Promise<void>): void {
    this.#underway.set(directory, removal)
    void removal.then(() => {
      if (this.#underway.get(directory) === removal) this.#underway.delete(directory)
    })
  }

  /** Settles when nothing of these stacks is being removed any more; without any named: of no stack. */
  async ended(directories: readonly string[] = [...this.#underway.keys()]): Promise<void> {
    await Promise.all(directories.map((directory) => this.#underway.get(directory) ?? Promise.resolve()))
  }
}
