import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { DrillResult } from '../../src/stages/drill/drill-result.js'
import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import type { RunBothResult } from '../../src/stages/run-both.js'
import { canMakeDisks } from '../fixtures/small-disk.js'
import { matrixOptions } from './options.js'
import { makeRealHost, type RealHost } from './real-host.js'

const { isFull, hostNights } = matrixOptions()
const dayMs = 24 * 60 * 60 * 1000

/** Recovered in an ordinary run: a disk below the folder, a neighbour of the same project name, a healthcheck that never passes. */
const recoveredInSample = ['photos', 'music', 'sick']

/** What a night may report, by stack: everything else is a surprise. */
const expected: Readonly<Record<string, readonly string[]>> = {
  edited: ['volume-not-found'],
  stubborn: ['killed-after-grace'],
}

describe.runIf(canMakeDisks)('a home server with everything at once', () => {
  let host: RealHost
  beforeAll(async () => void (host = await makeRealHost()), 300_000)
  afterAll(() => host?.remove(), 120_000)

  it(`runs as before after ${hostNights === 1 ? 'a night' : `each of ${hostNights} nights`}, and has a snapshot of every stack`, async () => {
    const { world } = host
    const restic = execFileSync('sh', ['-c', 'command -v restic'], { encoding: 'utf8' }).trim()
    // Each snapshot is dated by its night, so that retention has nights to count.
    world.fake('restic', `#!/bin/sh\ncase " $* " in *" backup "*) exec ${restic} "--time=$NIGHT" "$@";; esac\nexec ${restic} "$@"\n`)
    const reported = new Map<string, number>()
    for (let night = 1; night <= hostNights; night++) {
      for (const stack of host.stacks) writeFileSync(join(stack.directory, 'data', 'night'), `${night}\n`)
      await host.write(host.stack('web'), 'db', '/vol/row', `night ${night}`)
      writeFileSync(join(host.library.path, `picture-${night}`), 'precious')
      if (night % 3 === 1) await host.networkDrive.hang()
      const neighbours = await host.containers(host.stack('books'))
      const time = new Date(Date.now() - (hostNights - night + 1) * dayMs).toISOString().slice(0, 19).replace('T', ' ')
      const { exitCode, result } = await world.json<RunBothResult>(['run'], { environment: { PATH: world.fakePath, NIGHT: time } })
      await host.networkDrive.answer()

      const said = JSON.stringify(result.problems)
      for (const stack of host.stacks) expect([night, stack.name, await host.running(stack)], said).toEqual([night, stack.name, stack.services])
      expect(await host.containers(host.stack('books')), 'a neighbour of the same project name was touched').toBe(neighbours)
      expect([night, await host.read(host.stack('edited'), 'base', '/rows/row')]).toEqual([night, 'kept'])
      expect([night, await host.read(host.stack('photos'), 'gallery', '/library/picture')]).toEqual([night, 'precious'])
      const reports = result.backup?.stacks ?? []
      expect(reports.map(({ name }) => name).sort(), said).toEqual(host.stacks.filter(({ isEnabled }) => isEnabled).map(({ name }) => name).sort())
      for (const report of reports) {
        expect([night, report.name, report.snapshot !== null, report.quiet], JSON.stringify(report.problems)).toEqual([night, report.name, true, true])
        const codes = report.problems.map(({ code }) => code)
        expect(codes.filter((code) => !(expected[report.name] ?? []).includes(code)), `night ${night}, ${report.name}: ${JSON.stringify(report.problems)}`).toEqual([])
        for (const code of codes) reported.set(`${report.name}: ${code}`, (reported.get(`${report.name}: ${code}`) ?? 0) + 1)
      }
      expect(exitCode, said).toBe(0)
      expect(world.journal()).toEqual([])
    }
    console.log(`${hostNights} nights: nothing down, nothing lost; reported: ${[...reported].map(([what, times]) => `${what} ${times} times`).join(', ')}`)
  }, hostNights * 180_000)

  it('passes a drill of every stack', async () => {
    const { exitCode, result } = await host.world.json<DrillResult>(['drill', '--local'])
    expect([exitCode, result.status], JSON.stringify(result)).toEqual([0, 'ok'])
  }, 600_000)

  it('has its stacks recovered in place, without the loss of a file that no snapshot holds', async () => {
    const { world } = host
    for (const stack of host.stacks.filter(({ isEnabled, name }) => isEnabled && (isFull ? name !== 'edited' : recoveredInSample.includes(name)))) {
      const neighbours = await host.containers(host.stack('books'))
      writeFileSync(join(stack.directory, 'data', 'night'), 'broken\n')
      const { exitCode, result } = await world.json<RecoverResult>(['recover', stack.name, '--yes'])
      expect([stack.name, exitCode === 0 || exitCode === 3], JSON.stringify(result)).toEqual([stack.name, true])
      expect([stack.name, await host.running(stack)], JSON.stringify(result)).toEqual([stack.name, stack.services])
      expect([stack.name, readFileSync(join(stack.directory, 'data', 'night'), 'utf8')]).toEqual([stack.name, `${hostNights}\n`])
      expect(await host.containers(host.stack('books')), `the recovery of ${stack.name} touched a neighbour`).toBe(neighbours)
      for (let night = 1; night <= hostNights; night++) expect(existsSync(join(host.library.path, `picture-${night}`)), `picture of night ${night} after the recovery of ${stack.name}`).toBe(true)
    }
  }, isFull ? 1_200_000 : 600_000)
})
