import { exitCodeOf, exitCodes, isDeclined, messageWithReason, StackbkError, type Problem } from '../errors.js'
import { realPathSoFar } from '../host/mounts.js'
import { recover, type RecoverChoices } from './recover.js'
import type { RecoverResult } from './recover/recover-result.js'
import { restore, type RestoreChoices } from './restore.js'
import type { RestoreResult } from './restore/restore-result.js'
import { concluded, type Outcome } from './result.js'
import type { Run } from './run.js'

/** With `--recover`: what came of it; `null` where it could not begin. */
export type RestoreAndRecoverResult = RestoreResult & { readonly recover: RecoverResult | null }

/**
 * The whole way back in one command: the repository from the cloud, then stacks from it, up to running containers. A repository
 * that is not proven sound is not recovered from.
 */
export async function restoreAndRecover(run: Run, choices: RestoreChoices & { readonly recover: Omit<RecoverChoices, 'repository'> }): Promise<Outcome<RestoreAndRecoverResult>> {
  const restored = await restore(run, choices)
  const { result } = restored
  if (run.dryRun || result.verification.status !== 'ok' || run.signal.aborted) {
    const problems: Problem[] = [...result.problems]
    if (run.dryRun) problems.push({ severity: 'warning', code: 'not-looked-at', message: 'what stands against recovering the stacks can be told only when the repository is here', fix: '' })
    else problems.push({ severity: 'error', code: 'not-recovered', message: 'no stack is recovered, since the repository is not proven sound', fix: 'See the problems above' })
    return { exitCode: restored.exitCode, result: { ...result, recover: null, problems } }
  }
  const configured = (await run.engine()).location().path
  const isConfigured = configured !== null && realPathSoFar(configured) === realPathSoFar(result.target)
  const codes = [restored.exitCode]
  const problems: Problem[] = [...result.problems]
  let recovered: RecoverResult | null = null
  try {
    const outcome = await recover({ ...run, command: 'recover', startedAt: new Date() }, { ...choices.recover, repository: isConfigured ? undefined : result.target })
    recovered = outcome.result
    codes.push(outcome.exitCode)
    problems.push(...recovered.problems)
  } catch (error) {
    // The repository is here, whatever stands against the stacks.
    if (!(error instanceof StackbkError)) throw error
    codes.push(exitCodeOf(error))
    if (isDeclined(error)) problems.push({ severity: 'warning', code: error.code, message: 'no stack was recovered: the question was not answered with yes', fix: '' })
    else problems.push({ severity: 'error', code: error.code, message: messageWithReason(error), fix: error.fix })
  }
  const status = recovered === null ? 'partial' : result.status === 'ok' && recovered.status === 'ok' ? 'ok' : 'partial'
  const { source, target, files, bytes, verification, snapshots, nextSteps } = result
  const body = { source, target, files, bytes, verification, snapshots, nextSteps: recovered?.status === 'ok' ? nextSteps.slice(0, 2) : nextSteps, recover: recovered }
  return concluded(run, body, { status, problems, codes: [exitCodes.first(codes)] })
}
