import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { done, failed, type Finding, type Notifier, type SettingValues } from '@stackbk/contract'

import { figuresOf } from './figures.js'
import { mergeFigures, readFigures, writeFigures } from './exposition.js'
import { clearText } from './secret-text.js'

/** Another run is at work, and its figures are those that count; to read and write beside it could lose them. */
const busy = 75

/** Writes figures for the textfile collector of Prometheus' node_exporter. Those of stacks that a run had nothing to do with stay. */
export function createTextfile(values: SettingValues): Notifier {
  const file = clearText(values['FILE'])
  return {
    hearsAll: true,
    async notify(event, { signal } = {}) {
      if (event.event !== 'run-finished' || event.exitCode === busy) return done
      if (signal?.aborted) return failed({ kind: 'cancelled', message: `writing ${file} was cancelled` })
      try {
        const before = readFigures(await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? '' : Promise.reject(error))))
        await replace(file, writeFigures(mergeFigures(before, figuresOf(event))))
        return done
      } catch (error) {
        return failed({ kind: 'failed', message: `the figures could not be written to ${file}`, toolOutput: error instanceof Error ? error.message : String(error), fix: 'Check FILE, and that this user may write into its folder' })
      }
    },
    ready: async () => done,
    async examine() {
      const id = 'file'
      const needed = 'a folder that can be written, and a name that ends in .prom'
      const canWrite = await access(dirname(file), constants.W_OK).then(() => true, () => false)
      if (!canWrite) return [{ id, status: 'failed', found: `${dirname(file)} cannot be written`, needed, fix: 'Make the folder, or correct FILE' }]
      const finding: Finding = file.endsWith('.prom') ? { id, status: 'ok', found: file, needed, fix: '' } : { id, status: 'warning', found: `${file} does not end in .prom, so the collector passes over it`, needed, fix: 'Let FILE end in .prom' }
      return [finding]
    },
    close: async () => {},
  }
}

/** As a whole or not at all: the collector may read at any instant. What it reads ends in `.prom`, so the new file does not until it is whole. */
async function replace(file: string, content: string): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const handle = await open(temporary, 'wx', 0o644)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    // The collector is another user.
    await chmod(temporary, 0o644)
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
