import { done, failed, type Answer, type Finding, failureInOneLine } from '@stackbk/contract'

import type { Method } from './method.js'
import type { MountTable } from './mounts.js'
import { unsupported } from './sources.js'
import { questionLimitMs, type Tools } from './tools.js'

/** Whether this user, with the tools that are here, can freeze anything at all. */
export async function readiness(method: Method, tools: Tools, signal?: AbortSignal): Promise<Answer<void>> {
  const [tool, mounting] = await Promise.all([version(method, tools, signal), privateMounts(tools, signal)])
  const isRoot = process.geteuid?.() === 0
  if (!isRoot) return unsupported('freezing and reading a frozen copy need root', 'Run stackbk as root')
  if (!tool.ok) return tool
  return mounting.ok ? done : mounting
}

/** What `doctor` says. Freezing makes the downtime shorter and is never needed, so nothing here fails. */
export async function examine(method: Method, tools: Tools, mounts: MountTable, signal?: AbortSignal): Promise<readonly Finding[]> {
  const id = `freeze.${method.id}`
  const { needed } = method.tool
  const places = mounts.visible.filter(({ type }) => method.fileSystems.includes(type))
  if (places.length === 0) return [{ id, status: 'ok', found: `no ${method.fileSystems.join(' or ')} is mounted`, needed, fix: '' }]
  const isReady = await readiness(method, tools, signal)
  if (!isReady.ok) return [{ id, status: 'warning', found: failureInOneLine(isReady.failure), needed, fix: isReady.failure.fix ?? '' }]
  const found = await version(method, tools, signal)
  return [{ id, status: 'ok', found: found.ok ? found.value : '', needed, fix: '' }]
}

async function version({ tool }: Method, tools: Tools, signal?: AbortSignal): Promise<Answer<string>> {
  const told = await tools.run({ file: tool.file, args: ['--version'], what: `asking ${tool.file} for its version`, signal, timeoutMs: questionLimitMs })
  const found = told.ok ? tool.version.exec(told.value) : null
  if (found !== null) return { ok: true, value: found[0] }
  return failed({ kind: 'tool-missing', message: `${tool.needed} is not installed`, toolOutput: told.ok ? told.value : (told.failure.toolOutput ?? ''), fix: tool.fix })
}

/** A container without the right to mount has root and cannot show a copy at its original path. */
async function privateMounts(tools: Tools, signal?: AbortSignal): Promise<Answer<void>> {
  const tried = await tools.run({ file: 'unshare', args: ['--mount', '--propagation', 'private', '--', 'true'], what: 'making a private mount namespace', signal, timeoutMs: questionLimitMs })
  return tried.ok ? done : failed({ ...tried.failure, fix: 'Run stackbk where it may mount (outside of a container, or with CAP_SYS_ADMIN), or set FREEZE=none' })
}
