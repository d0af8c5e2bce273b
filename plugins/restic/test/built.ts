import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Builds what a plain node is to run. Nothing happens where nothing changed. */
export function build(): void {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b', 'plugins/restic', 'packages/tool-runner'], {
    cwd: root,
    stdio: 'pipe',
  })
}
