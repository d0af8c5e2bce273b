import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, it, onTestFinished } from 'vitest'

import { filesMappedBy } from '../../../src/host/mapped-files.js'

const program = `
import mmap, os, sys
files = [os.open(path, flags) for path, flags in ((sys.argv[1], os.O_RDWR), (sys.argv[2], os.O_RDONLY))]
maps = [mmap.mmap(files[0], 4096), mmap.mmap(files[1], 4096, prot=mmap.PROT_READ)]
print('mapped', flush=True)
sys.stdin.read()
`

it('names the file that a process of the container can write to through its memory, and none that it only reads', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stackbk-mapped-'))
  const [written, read] = [join(folder, 'data', 'written'), join(folder, 'data', 'read')]
  mkdirSync(join(folder, 'data'))
  for (const file of [written, read]) writeFileSync(file, Buffer.alloc(4096))
  const mapper = spawn('python3', ['-c', program, written, read], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    mapper.stdin.end()
    if (mapper.exitCode === null) await once(mapper, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })
  await once(mapper.stdout, 'data')
  // In place of a container's ID: what names the control group that the process is in.
  const group = readFileSync(`/proc/${mapper.pid}/cgroup`, 'utf8').split('\n')[0] ?? ''
  expect(await filesMappedBy([group], [join(folder, 'data')])).toEqual([{ path: written, container: group }])
  expect(await filesMappedBy([group], [read])).toEqual([])
  expect(await filesMappedBy(['another-container'], [join(folder, 'data')])).toEqual([])
})
