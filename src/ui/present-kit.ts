import type { KitCheckResult, KitWriteResult } from '../stages/kit.js'
import { localTime } from './local-time.js'
import { blocks, presentProblems } from './present-problems.js'
import { counted, formatDuration } from './table.js'

export function presentKitWrite(result: KitWriteResult): string {
  const lines = [
    `kit           ${result.file}`,
    `page          ${result.page}`,
    `holds         ${result.holds.join(', ')}`,
    `copy          ${result.remote}`,
    `repository    ${result.repositoryId}`,
  ]
  const steps = ['Next steps:', '  1. Print the page. Keep page, kit and passphrase away from this host', `  2. Try it: stackbk kit check ${result.file}`, ...(result.program === null ? ['  3. Keep the tarball of stackbk with them, or write the kit again with --with-program: stackbk is in no public registry'] : [])]
  return blocks(lines.join('\n'), presentProblems(result.problems), `kit written in ${formatDuration(result.durationMs)}`, steps.join('\n'))
}

export function presentKitCheck(result: KitCheckResult): string {
  const lines = [
    `kit           ${result.file}, written ${localTime(result.writtenAt)}`,
    `copy          ${result.remote}`,
    `repository    ${result.repositoryId}, ${counted(result.snapshots, 'snapshot')}${result.newest === null ? '' : `, the newest of ${localTime(result.newest)}`}`,
    `read from     ${result.read.length === 0 ? 'no stack' : result.read.join(', ')}`,
  ]
  return blocks(lines.join('\n'), presentProblems(result.problems), `the repository can be restored with this kit (checked in ${formatDuration(result.durationMs)})`)
}
