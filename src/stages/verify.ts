import { repositoryLock } from './repository.js'
import type { Outcome } from './result.js'
import { replayJournal } from './resume.js'
import type { Run } from './run.js'
import { verifyLocal } from './verify/local.js'
import { verifyRemote } from './verify/remote.js'
import type { VerifyChoices, VerifyResult } from './verify/verify-result.js'

export type { CorruptFile, VerifyBody, VerifyChoices, VerifyResult } from './verify/verify-result.js'

/** Checks the repository with the engine, or the remote's files by their names; mends what the other side has sound. */
export async function verify(run: Run, choices: VerifyChoices): Promise<Outcome<VerifyResult>> {
  const engine = await run.engine()
  if (choices.repair || (choices.waits === true && !choices.cloud)) await run.lock(repositoryLock(engine))
  if (choices.repair) await replayJournal(run)
  await run.events.deliver()
  return choices.cloud ? await verifyRemote(run, engine, choices) : await verifyLocal(run, engine, choices)
}
