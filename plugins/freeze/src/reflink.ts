import { mkdirSync } from 'node:fs'
import { availableParallelism, release } from 'node:os'
import { join } from 'node:path'

import { answered, done, frozenFolderName, type Answer, type BindMount } from '@stackbk/contract'

import type { Method, Work } from './method.js'
import { isWithin } from './mounts.js'
import { unsupported, type Source } from './sources.js'
import { swapFiles } from './swap-files.js'
import { questionLimitMs } from './tools.js'

/** One copy a path, that shares its data with the original: it takes as long as there are files, whatever their size. */
export const reflinkMethod: Method = {
  id: 'reflink',
  fileSystems: ['xfs', 'btrfs'],
  // The options are those of GNU; that of busybox knows none of them.
  tool: { file: 'cp', version: /^cp \(GNU coreutils\) \S+/m, needed: 'cp of GNU coreutils', fix: 'Install GNU coreutils' },
  keepsChangeTimes: false,
  acrossMounts: kernelClonesAcrossMounts(),

  async check(sources, work) {
    const swapFile = swapFiles().find((file) => sources.some(({ path }) => isWithin(file, path)))
    if (swapFile !== undefined) return unsupported(`the swap file ${swapFile} cannot be copied while it is in use`)
    const points = [...new Set(sources.filter(({ mount }) => mount.type === 'xfs').map(({ mount }) => mount.point))]
    const answers = await Promise.all([...points.map((point) => sharesBlocks(point, work)), ...sources.filter(({ mount }) => mount.type === 'btrfs').map((source) => copiesOnWrite(source, work))])
    return answers.find((answer) => !answer.ok) ?? done
  },

  async copy({ sources, around }, folder, work) {
    const own = new AbortController()
    const signal = work.signal === undefined ? own.signal : AbortSignal.any([own.signal, work.signal])
    const bindMounts: BindMount[] = []
    const waiting = [...sources.entries()]
    let failure: Answer<void> = done
    const copyNext = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && failure.ok; next = waiting.shift()) {
        const [index, source] = next
        const copy = join(folder, String(index))
        const answer = await (source === around ? copyAround(source, copy, { ...work, signal }) : copyWhole(source, copy, { ...work, signal }))
        if (answer.ok) bindMounts.push({ source: copy, target: source.target })
        else if (failure.ok) failure = answer
        if (!answer.ok) own.abort()
      }
    }
    await Promise.all(Array.from({ length: availableParallelism() }, copyNext))
    return failure.ok ? answered(bindMounts) : failure
  },

  async empty(folder, { tools, signal }) {
    const removed = await tools.run({ file: 'rm', args: ['--recursive', '--force', '--one-file-system', '--', folder], what: `removing the copies in ${folder}`, signal })
    return removed.ok ? done : removed
  },
}

/** `--archive` alone passes over attributes that cannot be kept. */
const cloning = ['--archive', '--preserve=xattr', '--reflink=always'] as const

async function copyWhole({ target, path }: Source, copy: string, { tools, signal }: Work): Promise<Answer<void>> {
  return spoken(await tools.run({ file: 'cp', args: [...cloning, '--no-target-directory', '--', path, copy], what: `copying ${target}`, signal }))
}

/** A folder that holds its own copy: each of its entries but the hidden folder, and then what the folder itself is like. */
async function copyAround({ target, path }: Source, copy: string, { tools, signal }: Work): Promise<Answer<void>> {
  mkdirSync(copy, 0o700)
  const entries = ['-mindepth', '1', '-maxdepth', '1', '!', '-name', frozenFolderName]
  const copied = await tools.run({ file: 'find', args: [path, ...entries, '-exec', 'cp', ...cloning, `--target-directory=${copy}`, '--', '{}', '+'], what: `copying ${target}`, signal })
  if (!copied.ok) return copied
  const archive = `${copy}.tar`
  const attributes = ['--acls', '--selinux', '--xattrs', '--xattrs-include=*', '--no-recursion']
  const what = `copying the attributes of ${target}`
  const packed = await tools.run({ file: 'tar', args: ['--create', '--format=posix', ...attributes, `--file=${archive}`, `--directory=${path}`, '.'], what, signal })
  if (!packed.ok) return packed
  return spoken(await tools.run({ file: 'tar', args: ['--extract', '--same-owner', '--numeric-owner', '--preserve-permissions', ...attributes, `--file=${archive}`, `--directory=${copy}`], what, signal }))
}

function spoken(answer: Answer<string>): Answer<void> {
  return answer.ok ? done : answer
}

async function sharesBlocks(point: string, { tools, signal }: Work): Promise<Answer<void>> {
  const told = await tools.run({ file: 'xfs_info', args: [point], what: `asking for the features of ${point}`, signal, timeoutMs: questionLimitMs })
  if (!told.ok) return told.failure.kind === 'tool-missing' ? unsupported('whether this XFS can share data between files cannot be found out: xfs_info is not there', 'Install xfsprogs') : told
  return /\breflink=1\b/.test(told.value) ? done : unsupported(`the XFS at ${point} was made without reflink=1, and cannot share data between files`)
}

/** A file without copy-on-write shares data only with others of that kind, which a new one is not. */
async function copiesOnWrite({ target, path, isDirectory, mount }: Source, { tools, signal }: Work): Promise<Answer<void>> {
  const marked = `${target} cannot be frozen: it holds files without copy-on-write`
  const lists = await Promise.all([
    tools.run({ file: 'lsattr', args: ['-d', '--', mount.point], what: `reading the attributes of ${mount.point}`, signal, timeoutMs: questionLimitMs }),
    tools.run({ file: 'lsattr', args: [...(isDirectory ? ['-R', '-a'] : []), '--', path], what: `reading the attributes of ${target}`, signal, timeoutMs: questionLimitMs }),
  ])
  for (const list of lists) {
    if (!list.ok) return list.failure.kind === 'tool-missing' ? unsupported('whether files without copy-on-write are there cannot be found out: lsattr is not there', 'Install e2fsprogs') : list
    if (list.value.split('\n').some((line) => /^[-a-zA-Z]*C[-a-zA-Z]* (?!.*\/\.\.$)/.test(line))) return unsupported(marked)
  }
  return done
}

/** Since Linux 5.18 ("fs: allow cross-vfsmount reflink/dedupe"). */
function kernelClonesAcrossMounts(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number)
  return major > 5 || (major === 5 && minor >= 18)
}
