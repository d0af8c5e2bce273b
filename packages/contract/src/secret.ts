const brand = Symbol.for('stackbk.secret')
const mask = '********'

/**
 * A value that must not be shown. Every way of turning it into text gives the mask; only {@link Secret.reveal} gives the
 * value, so a search for `reveal(` lists every place where a secret leaves.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
    Object.defineProperty(this, brand, { value: true })
  }

  /** The value itself. For the environment or standard input of the tool that needs it, and nothing else. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return mask
  }

  toJSON(): string {
    return mask
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return mask
  }
}

/** Whether a value is a {@link Secret}, also one made by another copy of this package. */
export function isSecret(value: unknown): value is Secret {
  return typeof value === 'object' && value !== null && brand in value
}
