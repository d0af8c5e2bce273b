import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { ToolRequest } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { afterEach, expect, test, vi } from 'vitest'

import { benchWithRepository, kind, requestOf, snapshot, value } from './bench.js'
import { wrapRestic } from './wrapper.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

const policy = { last: 0, daily: 7, weekly: 4, monthly: 0, yearly: 0 }

test.each([
  [48 * 3_600_000, '--keep-within=48h'],
  [90 * 60_000, '--keep-within=2h'],
])('what is not older than %i ms is kept by its age, in whole hours', async (withinMs, flag) => {
  const requests: ToolRequest[] = []
  const real = createExec()
  const made = await benchWithRepository({ exec: { ...real, start: (request: ToolRequest) => real.start((requests.push(request), request)) } })
  value(await made.engine.retain({ policy: { ...policy, withinMs }, host: 'host-a', tagSets: [['stackbk']], prune: false, dryRun: false }))
  expect(requests[0]?.args).toContain(flag)
})

test('retention of all stacks is one call, with host and tags in filter and grouping, and zeros left out', async () => {
  const requests: ToolRequest[] = []
  const real = createExec()
  const exec = { ...real, start: (request: ToolRequest) => real.start((requests.push(request), request)) }
  const made = await benchWithRepository({ exec })
  expect(
    value(
      await made.engine.retain({
        policy,
        host: 'host-a',
        tagSets: [
          ['stackbk', 'stack:a,b'],
          ['stackbk', 'stack:c'],
        ],
        prune: true,
        dryRun: false,
      }),
    ),
  ).toEqual({ removed: [], kept: [] })
  expect(requests).toHaveLength(1)
  expect(requests[0]?.args.filter((arg) => !arg.startsWith('--no-'))).toEqual([
    'forget',
    '--json',
    '--host=host-a',
    '--tag=stackbk,stack:a%2Cb',
    '--tag=stackbk,stack:c',
    '--group-by=host,tags',
    '--keep-daily=7',
    '--keep-weekly=4',
    '--prune',
  ])
})

test('retention without host, or with a tag set that is empty, is refused and never asked of restic', async () => {
  const made = await benchWithRepository()
  writeFileSync(join(made.source, 'file'), 'content')
  await snapshot(made.engine, requestOf(made))
  await snapshot(made.engine, requestOf(made))
  const request = { policy: { ...policy, last: 1 }, host: 'host-a', tagSets: [['stackbk']], prune: false, dryRun: false }
  expect(kind(await made.engine.retain({ ...request, host: '' }))).toBe('usage')
  expect(kind(await made.engine.retain({ ...request, tagSets: [['stackbk'], []] }))).toBe('usage')
  expect(value(await made.engine.snapshots())).toHaveLength(2)
})

test('a snapshot that could not be removed makes retention fail, and forgetting names it', async () => {
  const made = await benchWithRepository()
  writeFileSync(join(made.source, 'file'), 'content')
  const { id } = await snapshot(made.engine, requestOf(made))
  wrapRestic(made.folder, 'case $1 in forget) echo "unable to remove" >&2; exit 3;; *) exec "$restic" "$@";; esac')
  expect(await made.engine.retain({ policy, host: 'host-a', tagSets: [['stackbk']], prune: false, dryRun: false })).toMatchObject({
    ok: false,
    failure: { kind: 'failed', toolOutput: 'unable to remove' },
  })
  expect(await made.engine.forget([id], { prune: false })).toMatchObject({
    ok: false,
    failure: { kind: 'failed', message: expect.stringContaining(id) as string },
  })
})
