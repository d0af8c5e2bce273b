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

  /** Keeps the engine's descriptions, by ID, of containers that are about to be removed. */
  keep(described: ReadonlyMap<string, unknown>): void {
    for (const [id, container] of described) this.#removed.set(id, record(container))
  }

  /** Returns the engine's description of a container that this process removed; `null` if it did not remove it. */
  describedAs(id: string): Json | null {
    return this.#removed.get(id) ?? null
  }

  /** Returns the new IDs, by the old ones, of removed containers that exist again with the same name. */
  recreatedIn(present: readonly Listed[]): ReadonlyMap<string, string> {
    const ids = new Map(present.map(({ id, name }) => [name, id]))
    return new Map([...this.#removed].flatMap(([id, container]) => {
      const now = ids.get(text(container['Name']).replace(/^\//, ''))
      return now === undefined || now === id ? [] : [[id, now] as const]
    }))
  }

  /** Drops descriptions that are no longer needed, because their stack was started. */
  forget(ids: Iterable<string>): void {
    for (const id of ids) this.#removed.delete(id)
  }
}
