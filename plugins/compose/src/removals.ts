import { type Json, record, text } from './json.js'
import type { Listed } from './look.js'

/**
 * The second half of `down`: containers that have been stopped are removed while the stack is already being read. Nothing of a
 * stack's data is in them, so only a start has to wait for it.
 */
export class Removals {
  readonly #underway = new Map<string, Promise<void>>()
  readonly #removed = new Map<string, Json>()

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

  /** Keeps how the engine describes containers that are about to be removed, by ID. */
  keep(described: ReadonlyMap<string, unknown>): void {
    for (const [id, container] of described) this.#removed.set(id, record(container))
  }

  /** How a container was made that this process has removed; `null` where it has not. */
  describedAs(id: string): Json | null {
    return this.#removed.get(id) ?? null
  }

  /** New IDs, by their old ones, of removed containers that are there again by the same name. */
  madeSince(present: readonly Listed[]): ReadonlyMap<string, string> {
    const ids = new Map(present.map(({ id, name }) => [name, id]))
    return new Map([...this.#removed].flatMap(([id, container]) => {
      const now = ids.get(text(container['Name']).replace(/^\//, ''))
      return now === undefined || now === id ? [] : [[id, now] as const]
    }))
  }

  /** The stack is up again, or will not be by this process. */
  forget(ids: Iterable<string>): void {
    for (const id of ids) this.#removed.delete(id)
  }
}
