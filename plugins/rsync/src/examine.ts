import { type Answer, type Finding, failureInOneLine } from '@stackbk/contract'

import { isNewEnough, oldestVersion, type RsyncVersion } from './tools.js'

/** The questions that `doctor` asks, each only where the ones before it were answered well. */
export interface Questions {
  readonly location: string
  version(): Promise<Answer<RsyncVersion>>
  ssh(): Promise<Answer<string>>
  configured(): Promise<Answer<void>>
  reached(): Promise<Answer<void>>
}

/** What `doctor` says of rsync, SSH and the server. */
export async function examine(questions: Questions): Promise<readonly Finding[]> {
  const [version, ssh] = await Promise.all([questions.version(), questions.ssh()])
  const tools = [versionFinding(version), sshFinding(ssh)]
  if (tools.some(({ status }) => status === 'failed')) return tools
  const configured = finding({ id: 'rsync.configuration', needed: 'a host, and files that can be read' }, questions.location, await questions.configured())
  if (configured.status === 'failed') return [...tools, configured]
  return [...tools, configured, finding({ id: 'rsync.connection', needed: 'a server that can be reached and accepts the login' }, 'reached', await questions.reached())]
}

function versionFinding(version: Answer<RsyncVersion>): Finding {
  const facts = { id: 'rsync.version', needed: `${oldestVersion.text} or newer` }
  const fix = `Install rsync ${oldestVersion.text} or newer`
  if (!version.ok) return { ...facts, status: 'failed', found: failureInOneLine(version.failure), fix: version.failure.fix ?? fix, isToolTrouble: true }
  const { text } = version.value
  return isNewEnough(version.value) ? { ...facts, status: 'ok', found: text, fix: '' } : { ...facts, status: 'failed', found: text, fix, isToolTrouble: true }
}

function sshFinding(ssh: Answer<string>): Finding {
  const facts = { id: 'rsync.ssh', needed: 'an SSH client' }
  if (ssh.ok) return { ...facts, status: 'ok', found: ssh.value, fix: '' }
  return { ...facts, status: 'failed', found: failureInOneLine(ssh.failure), fix: ssh.failure.fix ?? '', isToolTrouble: true }
}

function finding(facts: { readonly id: string; readonly needed: string }, found: string, answer: Answer<void>): Finding {
  if (answer.ok) return { ...facts, status: 'ok', found, fix: '' }
  return { ...facts, status: 'failed', found: failureInOneLine(answer.failure), fix: answer.failure.fix ?? '' }
}
