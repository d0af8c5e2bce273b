import { Secret, type Transport } from '@stackbk/contract'

import { problemFrom, StackbkError, type Problem } from '../../errors.js'
import { repositoryLock } from '../repository.js'
import type { Run } from '../run.js'
import type { KitFile } from './archive.js'

/**
 * Brings back to this host what the transport's tool renews in the kit's copy of its configuration. Some clouds accept a refresh
 * token once: if the check used it and threw the new one away, no later sync would reach the remote.
 */
export class RenewedFiles {
  readonly problems: Problem[] = []
  readonly #run: Run
  readonly #transport: Transport | null

  private constructor(run: Run, transport: Transport | null) {
    this.#run = run
    this.#transport = transport
  }

  /**
   * Takes the lock of this host's repository if its transport has something to renew, so that no sync uses the same token
   * meanwhile. A host without a configuration has nothing to lose. Throws `busy` (75).
   */
  static async open(run: Run): Promise<RenewedFiles> {
    try {
      const transport = await run.transport()
      const files = (await transport.keepsakes?.({ signal: run.signal })) ?? { ok: true, value: [] }
      if (transport.returnRenewed === undefined || !files.ok || !files.value.some(({ isRenewed }) => isRenewed === true)) return new RenewedFiles(run, null)
      await run.lock(repositoryLock(await run.engine()))
      return new RenewedFiles(run, transport)
    } catch (error) {
      if (error instanceof StackbkError && error.kind === 'configuration') return new RenewedFiles(run, null)
      throw error
    }
  }

  /** Never throws: what cannot be brought back is a problem of the result, and in the log. */
  async bringBack({ name, content }: KitFile, renewed: Uint8Array): Promise<void> {
    if (this.#transport?.returnRenewed === undefined) return
    const request = { name, before: secretOf(content), after: secretOf(renewed) }
    try {
      const answer = await this.#transport.returnRenewed(request)
      if (answer.ok && answer.value.returned && answer.value.outdatesCopies !== false) this.#add({ severity: 'warning', code: 'kit-renewed', message: `the remote's access was renewed during the check: ${name} of this host was brought up to date, and the kit holds the access of before`, fix: 'Write the kit again: stackbk kit write FILE' })
      if (!answer.ok) this.#add(problemFrom(answer.failure, { code: 'renewed-not-returned' }))
    } catch (error) {
      this.#add({ severity: 'error', code: 'renewed-not-returned', message: `the remote's access was renewed during the check, and ${name} of this host could not be brought up to date: ${error instanceof Error ? error.message : String(error)}`, fix: 'See whether the remote can still be reached: stackbk sync --test' })
    }
  }

  #add(problem: Problem): void {
    this.problems.push(problem)
    this.#run.log(problem.severity, problem.message)
  }
}

function secretOf(content: Uint8Array): Secret {
  return new Secret(Buffer.from(content).toString('utf8'))
}
