/** Amounts of several things by name, such as bytes of memory and networks. */
export type Amounts<Name extends string> = Readonly<Record<Name, number>>

interface Request<Name extends string> {
  readonly needed: Amounts<Name> | 'all'
  readonly grant: (share: Share) => void
}

export interface Waiting {
  readonly signal: AbortSignal
  /** Called if what is requested is not free at once. */
  readonly onWait?: () => void
}

/** What one holder has been granted. */
export interface Share {
  /** Gives it back. `kept`: what was granted stays in use, and only the holder is done with its work. */
  release(how?: { readonly kept: boolean }): void
}

/**
 * Grants shares of limited amounts, in the order in which they are requested: a request that does not fit waits, and those after it
 * wait too. A request that comes first while there is no holder is granted whatever it needs, so that nothing waits for ever.
 */
export class SharedLimit<Name extends string> {
  readonly #limits: Amounts<Name>
  readonly #inUse: Record<Name, number>
  readonly #waiting: Request<Name>[] = []
  #holders = 0
  #isExclusive = false

  constructor(limits: Amounts<Name>) {
    this.#limits = limits
    this.#inUse = Object.fromEntries(Object.keys(limits).map((name) => [name, 0])) as Record<Name, number>
  }

  /** How many have a share at the moment. */
  get holders(): number {
    return this.#holders
  }

  /** Waits until this much is free; `all`: until there is no other holder, and lets no other in meanwhile. Rejects when the signal aborts. */
  async request(needed: Amounts<Name> | 'all', { signal, onWait }: Waiting): Promise<Share> {
    signal.throwIfAborted()
    return await new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const at = this.#waiting.indexOf(request)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(signal.reason as Error)
        this.#grantNext()
      }
      const request: Request<Name> = {
        needed,
        grant: (share) => {
          signal.removeEventListener('abort', onAbort)
          resolve(share)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(request)
      this.#grantNext()
      if (this.#waiting.includes(request)) onWait?.()
    })
  }

  #grantNext(): void {
    for (let [next] = this.#waiting; next !== undefined && this.#fits(next.needed); [next] = this.#waiting) {
      this.#waiting.shift()
      next.grant(this.#take(next.needed))
    }
  }

  #fits(needed: Amounts<Name> | 'all'): boolean {
    if (this.#holders === 0) return true
    if (needed === 'all' || this.#isExclusive) return false
    return this.#names().every((name) => this.#inUse[name] + needed[name] <= this.#limits[name])
  }

  #take(needed: Amounts<Name> | 'all'): Share {
    this.#holders++
    if (needed === 'all') this.#isExclusive = true
    else for (const name of this.#names()) this.#inUse[name] += needed[name]
    let isReleased = false
    return {
      release: ({ kept } = { kept: false }) => {
        if (isReleased) return
        isReleased = true
        this.#holders--
        if (needed === 'all') this.#isExclusive = false
        else if (!kept) for (const name of this.#names()) this.#inUse[name] -= needed[name]
        this.#grantNext()
      },
    }
  }

  #names(): Name[] {
    return Object.keys(this.#limits) as Name[]
  }
}
