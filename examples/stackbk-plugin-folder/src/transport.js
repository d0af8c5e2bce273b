import { Buffer } from 'node:buffer'
import { copyFile, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

import { answered, done, failed, shellWord } from '@stackbk/contract'

/** A file that is not whole yet has this at the end of its name, and counts for nothing. */
const partial = '.stackbk-partial'

/**
 * @param {string | null} root - absolute; `null` where the configuration names none
 * @returns {import('@stackbk/contract').Transport}
 */
export function createFolderTransport(root) {
  const at = (path) => join(root, path)

  /** What all calls have in common: no name leads out of the folder, an abort is noticed, and what the system throws is an answer. */
  const call = async (names, signal, work) => {
    const strange = names.find((name) => !isName(name))
    if (strange !== undefined) return failed({ kind: 'usage', message: `${JSON.stringify(strange)} is no file's name` })
    try {
      signal?.throwIfAborted()
      if (!(await stat(root)).isDirectory()) throw new Error('it is no folder')
    } catch (error) {
      if (signal?.aborted) return failed({ kind: 'cancelled', message: 'the call was cancelled' })
      return failed({ kind: 'remote-unreachable', message: `the folder ${root} is not there`, toolOutput: error.message, fix: 'Mount its disk, or make it' })
    }
    try {
      return answered(await work())
    } catch (error) {
      if (signal?.aborted) return failed({ kind: 'cancelled', message: 'the call was cancelled' })
      return failed({ kind: error.code === 'ENOENT' ? 'not-found' : 'transfer-failed', message: `${error.path ?? root} could not be read or written`, toolOutput: error.message })
    }
  }

  /** Copies what is not there in the same size, or all of it. */
  const transfer = ({ files, whenSameSize, signal, onProgress }, from, to) =>
    call(files, signal, async () => {
      const moved = { files: 0, bytes: 0 }
      for (const file of files) {
        signal?.throwIfAborted()
        const { size } = await stat(join(from, file))
        if (whenSameSize === 'keep' && (await sizeOf(join(to, file))) === size) continue
        await copyWhole(join(from, file), join(to, file))
        moved.files += 1
        moved.bytes += size
        onProgress?.({ phase: 'transfer', bytesDone: moved.bytes, filesDone: moved.files, filesTotal: files.length })
      }
      return moved
    })

  const move = async (from, to) => {
    await mkdir(dirname(at(to)), { recursive: true })
    await rename(at(from), at(to)).catch(unlessGone)
  }

  return {
    location: root ?? '',
    ready: async () => done,
    close: async () => {},
    examine: async () => {
      const probed = await call([], undefined, () => undefined)
      const found = probed.ok ? root : `${probed.failure.message}: ${probed.failure.toolOutput}`
      return [{ id: 'folder.place', status: probed.ok ? 'ok' : 'failed', found, needed: 'a folder that is there', fix: probed.ok ? '' : probed.failure.fix }]
    },
    probe: ({ signal }) => call([], signal, () => undefined),
    traits: async () => answered({ appearsWhole: true, movesWhole: true, movesAtomically: true, readsRanges: true }),
    list: (prefix, { signal } = {}) => call([], signal, () => filesBelow(root, prefix)),
    upload: (request) => transfer(request, request.localRoot, at(request.remoteFolder ?? '')),
    download: (request) => transfer(request, at(request.remoteFolder ?? ''), request.localRoot),
    read: (path, { range, signal } = {}) => call([path], signal, () => contentOf(at(path), range)),
    move: (from, to, { signal } = {}) => call([from, to], signal, () => move(from, to)),
    remove: (files, { signal } = {}) => call(files, signal, async () => void (await Promise.all(files.map((file) => rm(at(file), { force: true }).catch(unlessGone))))),
    space: ({ signal } = {}) => call([], signal, async () => statfs(root).then(({ blocks, bavail, bsize }) => ({ totalBytes: blocks * bsize, freeBytes: bavail * bsize }))),
    byHand: ({ localRoot }) => [`cp -a ${shellWord(join(root, '.'))} ${shellWord(localRoot)}`],
  }
}

function isName(path) {
  return !/[\n\0]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

/** What is not there is no failure of a move or a removal. */
function unlessGone(error) {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}

async function sizeOf(path) {
  return stat(path).then(({ size }) => size, () => null)
}

/** Under its name it appears when all of it is on the disk, and not before. */
async function copyWhole(from, to) {
  await mkdir(dirname(to), { recursive: true })
  await copyFile(from, `${to}${partial}`)
  const handle = await open(`${to}${partial}`, 'r+')
  await handle.sync().finally(() => handle.close())
  await rename(`${to}${partial}`, to)
}

async function contentOf(path, range) {
  const handle = await open(path)
  try {
    if (range === undefined) return await handle.readFile()
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(range.end - range.start), 0, range.end - range.start, range.start)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    throw error.code === 'EISDIR' ? Object.assign(error, { code: 'ENOENT' }) : error
  } finally {
    await handle.close()
  }
}

/** All files below a folder of the root, with their paths from the root; for the path of a file, that one. */
async function filesBelow(root, prefix) {
  const start = join(root, prefix)
  const found = await stat(start).catch(unlessGone)
  if (found === undefined) return []
  const entries = found.isDirectory() ? await readdir(start, { recursive: true, withFileTypes: true }) : []
  const paths = found.isDirectory() ? entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name)) : [start]
  return Promise.all(
    paths.filter((path) => !path.endsWith(partial)).map(async (path) => {
      const { size, mtime } = await stat(path)
      return { path: relative(root, path), size, modifiedAt: mtime.toISOString() }
    }),
  )
}
