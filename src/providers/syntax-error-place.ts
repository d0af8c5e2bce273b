import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** At most this many files of a plugin are checked. */
const mostFiles = 60

/** For all of them together: a broken plugin must not delay a command for long. Milliseconds. */
const limitMs = 3_000

/**
 * Returns the file and line of the first syntax error in a plugin's own files, or null if none is found in time. Node does not say
 * where it is in the error of a failed import. Nothing of the plugin is run.
 */
export async function syntaxErrorPlace(root: string): Promise<string | null> {
  const [{ createExec }, signal] = [await import('@stackbk/tool-runner'), AbortSignal.timeout(limitMs)]
  const exec = createExec()
  const pending = modulesBelow(root)
  let found: string | null = null
  const checkNext = async (): Promise<void> => {
    for (let file = pending.shift(); file !== undefined && found === null && !signal.aborted; file = pending.shift()) {
      const { exitCode, stderr } = await exec.run({ file: process.execPath, args: ['--check', file], signal })
      const place = /^((?:file:\/\/)?\/.+):(\d+)$/m.exec(stderr)
      if (exitCode === 1 && stderr.includes('SyntaxError') && place !== null) found ??= `${pathOf(place[1] ?? file)}:${place[2] ?? ''}`
    }
  }
  await Promise.all([checkNext(), checkNext()])
  return found
}

function pathOf(place: string): string {
  return place.startsWith('file:') ? fileURLToPath(place) : place
}

/** Without dependencies and hidden folders. */
function modulesBelow(root: string): string[] {
  const found: string[] = []
  const folders = [root]
  for (let folder = folders.shift(); folder !== undefined && found.length < mostFiles; folder = folders.shift()) {
    for (const entry of entriesOf(folder)) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue
      if (entry.isDirectory()) folders.push(join(folder, entry.name))
      else if (/\.[cm]?js$/.test(entry.name)) found.push(join(folder, entry.name))
    }
  }
  return found.slice(0, mostFiles)
}

function entriesOf(folder: string): ReturnType<typeof readEntries> {
  try {
    return readEntries(folder)
  } catch {
    return []
  }
}

function readEntries(folder: string) {
  return readdirSync(folder, { withFileTypes: true })
}
