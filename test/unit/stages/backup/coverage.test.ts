import type { Source } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { coverageOf, type CoverageChoices } from '../../../../src/stages/backup/coverage.js'
import { source } from '../fixtures.js'

const choices: CoverageChoices = { includeVolumes: true, includeBinds: 'none', ignoreMounts: [] }
const folder = source('/opt/web')
const volume = source('/var/lib/docker/volumes/data/_data', { kind: 'named-volume', volume: 'data' })
const anonymous = source('/var/lib/docker/volumes/abc/_data', { kind: 'anonymous-volume', volume: 'abc' })
const bind = source('/srv/photos', { kind: 'bind', services: ['app', 'db'] })
const readOnly = source('/srv/config', { kind: 'bind', isWritable: false })

function coverage(sources: readonly Source[], more: Partial<CoverageChoices> = {}): { paths: readonly string[]; codes: string[]; messages: string } {
  const { paths, problems } = coverageOf('web', sources, { ...choices, ...more })
  return { paths, codes: problems.map(({ code }) => code), messages: problems.map(({ message, fix }) => `${message} | ${fix}`).join('\n') }
}

describe('what a snapshot holds of a stack', () => {
  it('is its folder, the files of its model and its volumes', () => {
    const model = source('/etc/web/extra.yaml', { kind: 'model-file', isWritable: false })
    expect(coverage([folder, model, volume, anonymous])).toEqual({ paths: ['/etc/web/extra.yaml', '/opt/web', anonymous.path, volume.path].sort(), codes: [], messages: '' })
  })

  it('leaves volumes out where that is asked for, and tells of each', () => {
    const { paths, codes, messages } = coverage([folder, volume], { includeVolumes: false })
    expect({ paths, codes }).toEqual({ paths: ['/opt/web'], codes: ['not-in-backup'] })
    expect(messages).toContain('the volume data')
  })

  it('leaves bind mounts outside the folder out, and tells of those that are written to', () => {
    const { paths, codes, messages } = coverage([folder, bind, readOnly])
    expect({ paths, codes }).toEqual({ paths: ['/opt/web'], codes: ['not-in-backup'] })
    expect(messages).toMatch(/\/srv\/photos is written to by app, db .*INCLUDE_BINDS=writable.*\[stack:web\]/)
  })

  it('takes in bind mounts that are written to where that is asked for', () => {
    expect(coverage([folder, bind, readOnly], { includeBinds: 'writable' })).toEqual({ paths: ['/opt/web', '/srv/photos'], codes: [], messages: '' })
  })

  it('names no place within another: restic would read it twice', () => {
    const within = source('/opt/web/data', { kind: 'bind' })
    const beside = source('/opt/web-two', { kind: 'bind' })
    expect(coverage([source('/opt/web/data/deep', { kind: 'bind' }), within, folder, folder, beside], { includeBinds: 'writable' }).paths).toEqual(['/opt/web', '/opt/web-two'])
  })

  it('holds a bind mount within the folder anyway, so nobody is told of it', () => {
    expect(coverage([folder, source('/opt/web/data', { kind: 'bind' })])).toEqual({ paths: ['/opt/web'], codes: [], messages: '' })
  })

  it('tells of a volume that cannot be read, with the reason', () => {
    const remote = source('/var/lib/docker/volumes/nfs/_data', { kind: 'named-volume', volume: 'nfs', canBeRead: false, whyNot: 'its driver keeps it elsewhere' })
    const { paths, codes, messages } = coverage([folder, remote])
    expect({ paths, codes }).toEqual({ paths: ['/opt/web'], codes: ['not-in-backup'] })
    expect(messages).toContain('its driver keeps it elsewhere')
  })

  it('tells of nothing that is known to be absent', () => {
    expect(coverage([folder, bind, source('/srv/photos/raw', { kind: 'bind' })], { ignoreMounts: ['/srv/photos'] }).codes).toEqual([])
    expect(coverage([folder, bind], { ignoreMounts: ['/srv/photo'] }).codes).toEqual(['not-in-backup'])
  })

  it("tells of no socket, no device and nothing of the system's own", () => {
    const system = (path: string): Source => source(path, { kind: 'bind', canBeRead: false, whyNot: 'a socket', device: 5 })
    expect(coverage([folder, system('/var/run/docker.sock'), system('/run/x.sock'), system('/dev/dri'), system('/sys/fs'), system('/proc')], { includeBinds: 'writable' }).codes).toEqual([])
    expect(coverage([folder, system('/srv/app.sock')]).codes).toEqual(['not-in-backup'])
  })

  it('is not whole where this user may not read what belongs into it, and says so unless that is known', () => {
    const closed = { canBeRead: false, whyNot: 'this user may not read it', isForbidden: true }
    const secret = source('/etc/web/secret', { kind: 'model-file', isWritable: false, ...closed })
    const foreign = source('/var/lib/docker/volumes/data/_data', { kind: 'named-volume', volume: 'data', ...closed })
    const whole = (sources: readonly Source[], more: Partial<CoverageChoices> = {}): unknown[] => {
      const { isIncomplete, problems } = coverageOf('web', sources, { ...choices, ...more })
      return [isIncomplete, problems.map(({ severity, code }) => `${severity} ${code}`)]
    }
    expect(whole([folder, secret])).toEqual([true, ['error not-readable']])
    expect(whole([folder, foreign])).toEqual([true, ['error not-readable']])
    expect(whole([folder, foreign], { ignoreMounts: ['/var/lib/docker'] })).toEqual([false, []])
    expect(whole([folder, foreign], { includeVolumes: false })).toEqual([false, ['warning not-in-backup']])
  })
})
