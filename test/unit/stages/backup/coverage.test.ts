import type { Source } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { coverageOf, type CoverageChoices } from '../../../../src/stages/backup/coverage.js'
import type { ReservedPlace } from '../../../../src/stages/backup/reserved-places.js'
import { source } from '../fixtures.js'

const choices: CoverageChoices = { includeVolumes: true, includeBinds: 'none', ignoreMounts: [] }
const web = { name: 'web', directory: '/opt/web' }
const folder = source('/opt/web')
const volume = source('/var/lib/docker/volumes/data/_data', { kind: 'named-volume', volume: 'data' })
const anonymous = source('/var/lib/docker/volumes/abc/_data', { kind: 'anonymous-volume', volume: 'abc' })
const bind = source('/srv/photos', { kind: 'bind', services: ['app', 'db'] })
const readOnly = source('/srv/config', { kind: 'bind', isWritable: false })

function coverage(sources: readonly Source[], more: Partial<CoverageChoices> = {}): { paths: readonly string[]; codes: string[]; messages: string } {
  const { paths, problems } = coverageOf(web, sources, { ...choices, ...more })
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

  it('takes no file of the operating system along, and tells no one, but what a program keeps below /etc', () => {
    const system = ['/etc/hosts', '/etc/machine-id', '/usr/share/zoneinfo/Europe/Berlin', '/var/lib/dbus/machine-id', '/etc/ssh'].map((path) => source(path, { kind: 'bind' }))
    const linked = source('/nix/store/x-hosts', { kind: 'bind', links: ['/etc/hosts'] })
    const own = ['/etc/letsencrypt', '/etc/app.conf', '/usr/local/etc/app'].map((path) => source(path, { kind: 'bind' }))
    expect(coverage([folder, ...system, linked, ...own], { includeBinds: 'writable' })).toEqual({ paths: ['/etc/app.conf', '/etc/letsencrypt', '/opt/web', '/usr/local/etc/app'], codes: [], messages: '' })
    expect(coverage([folder, ...system, linked]).codes).toEqual([])
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

  it('says of a folder of the whole host that it is never saved, with a step that works, whatever INCLUDE_BINDS is', () => {
    const home = source('/home', { kind: 'bind', canBeRead: false, whyNot: 'it belongs to the whole host, and such a folder is never saved as a whole', isHostFolder: true, device: 5 })
    const message = '/home is written to by app and is not in the backup: it belongs to the whole host, and such a folder is never saved as a whole'
    const inside = 'In the compose file, mount the folders inside /home that hold the data, instead of /home'
    expect(coverage([folder, home], { includeBinds: 'writable' })).toEqual({ paths: ['/opt/web'], codes: ['not-in-backup'], messages: `${message} | ${inside}; or list /home in IGNORE_MOUNTS, in [stack:web]` })
    expect(coverage([folder, home]).messages).toBe(`${message} | ${inside}, and set INCLUDE_BINDS=writable; or list /home in IGNORE_MOUNTS, in [stack:web]`)
    expect(coverage([folder, home], { includeBinds: 'writable', ignoreMounts: ['/home'] }).codes).toEqual([])
  })

  it('advises INCLUDE_BINDS only where that would help', () => {
    const socket = source('/srv/app.sock', { kind: 'bind', canBeRead: false, whyNot: 'it is a socket', device: 5 })
    const docker = source('/var/lib/docker', { kind: 'bind', canBeRead: false, whyNot: 'it belongs to the system, which is never saved', device: 5 })
    for (const includeBinds of ['none', 'writable'] as const) {
      const { messages } = coverage([folder, socket, docker], { includeBinds })
      expect(messages).toContain('If its data is not needed, list /var/lib/docker in IGNORE_MOUNTS, in [stack:web]')
      expect(messages).not.toContain('INCLUDE_BINDS')
    }
    expect(coverage([folder, source('/srv/photos', { kind: 'bind', canBeRead: false, whyNot: 'this user may not read it', isForbidden: true })]).messages).toContain('Set INCLUDE_BINDS=writable')
  })

  it('is not whole where this user may not read what belongs into it, and says so unless that is known', () => {
    const closed = { canBeRead: false, whyNot: 'this user may not read it', isForbidden: true }
    const secret = source('/etc/web/secret', { kind: 'model-file', isWritable: false, ...closed })
    const foreign = source('/var/lib/docker/volumes/data/_data', { kind: 'named-volume', volume: 'data', ...closed })
    const whole = (sources: readonly Source[], more: Partial<CoverageChoices> = {}): unknown[] => {
      const { isIncomplete, problems } = coverageOf(web, sources, { ...choices, ...more })
      return [isIncomplete, problems.map(({ severity, code }) => `${severity} ${code}`)]
    }
    expect(whole([folder, secret])).toEqual([true, ['error not-readable']])
    expect(whole([folder, foreign])).toEqual([true, ['error not-readable']])
    expect(whole([folder, foreign], { ignoreMounts: ['/var/lib/docker'] })).toEqual([false, []])
    expect(whole([folder, foreign], { includeVolumes: false })).toEqual([false, ['warning not-in-backup']])
  })

  it('is not complete where only the engine has what belongs into it, unless that is left out or known', () => {
    const absent = { canBeRead: false, whyNot: 'it is not on this host: the engine (Docker Desktop) keeps its data elsewhere', isNotOnHost: true }
    const volume = source('/var/lib/docker/volumes/data/_data', { kind: 'named-volume', volume: 'data', ...absent })
    const anonymous = source('/var/lib/docker/volumes/abc/_data', { kind: 'anonymous-volume', volume: 'abc', ...absent })
    const inner = source('/opt/web/data', { kind: 'directory', ...absent })
    const bind = source('/srv/data', { kind: 'bind', ...absent })
    const found = (sources: readonly Source[], more: Partial<CoverageChoices> = {}): unknown[] => {
      const { isIncomplete, problems } = coverageOf(web, sources, { ...choices, ...more })
      return [isIncomplete, problems.map(({ severity, code }) => `${severity} ${code}`)]
    }
    for (const one of [volume, anonymous, inner]) expect(found([folder, one]), one.path).toEqual([true, ['error not-on-host']])
    expect(found([folder, bind])).toEqual([false, ['warning not-in-backup']])
    expect(found([folder, bind], { includeBinds: 'writable' })).toEqual([true, ['error not-on-host']])
    expect(found([folder, volume], { ignoreMounts: ['data'] })).toEqual([false, []])
    expect(found([folder, volume], { includeVolumes: false })).toEqual([false, ['warning not-in-backup']])
    const [problem] = coverageOf(web, [folder, volume], choices).problems
    expect([problem?.message, problem?.fix]).toEqual([expect.stringContaining('Docker Desktop'), expect.stringContaining('list data in IGNORE_MOUNTS')])
  })

  describe('with mounts that are ignored', () => {
    const writable = { includeBinds: 'writable' } as const

    it('leaves a bind out, by its path, a folder above it, or a link to it', () => {
      const clock = source('/mnt/disk/clock', { kind: 'bind', links: ['/srv/clock'] })
      for (const ignored of ['/srv/photos', '/srv/photos/', '/srv']) expect(coverage([folder, bind], { ...writable, ignoreMounts: [ignored] })).toEqual({ paths: ['/opt/web'], codes: [], messages: '' })
      expect(coverage([folder, clock], { ...writable, ignoreMounts: ['/srv/clock'] })).toEqual({ paths: ['/opt/web'], codes: [], messages: '' })
      expect(coverage([folder, clock], { ...writable, ignoreMounts: [] }).paths).toContain(clock.path)
    })

    it('leaves out what lies below another bind too', () => {
      const { paths, excludePaths } = coverageOf(web, [folder, bind, source('/srv/photos/raw', { kind: 'bind' })], { ...choices, ...writable, ignoreMounts: ['/srv/photos/raw/', '/opt/web/cache'] })
      expect({ paths, excludePaths }).toEqual({ paths: ['/opt/web', '/srv/photos'], excludePaths: ['/srv/photos/raw'] })
    })

    it('keeps a volume and the folder, which are left out in other ways', () => {
      expect(coverage([folder, volume], { ignoreMounts: ['/var/lib/docker', '/opt'] }).paths).toEqual(['/opt/web', volume.path])
    })
  })

  describe('with places that no stack may take along', () => {
    const repository: ReservedPlace = { kind: 'repository', path: '/srv/disk/restic', name: '', isEnabled: false }
    const state: ReservedPlace = { kind: 'state', path: '/var/lib/stackbk', name: '', isEnabled: false }
    const stackAt = (name: string, isEnabled = true): ReservedPlace => ({ kind: 'stack', path: `/opt/${name}`, name, isEnabled })
    const mountOf = (path: string): Source => source(path, { kind: 'bind' })
    const of = (sources: readonly Source[], reserved: readonly ReservedPlace[], more: Partial<CoverageChoices> = {}) => {
      const { paths, excludePaths, problems, isIncomplete } = coverageOf(web, sources, { ...choices, includeBinds: 'writable', reserved, ...more })
      return { paths, excludePaths, problems: problems.map(({ severity, code }) => `${severity} ${code}`), isIncomplete }
    }

    it('excludes the repository below a bind, and says so unless that is known', () => {
      expect(of([folder, mountOf('/srv/disk')], [repository])).toEqual({ paths: ['/opt/web', '/srv/disk'], excludePaths: ['/srv/disk/restic'], problems: ['warning repository-left-out'], isIncomplete: false })
      expect(of([folder, mountOf('/srv/disk')], [repository], { ignoreMounts: ['/srv/disk/restic'] })).toEqual({ paths: ['/opt/web', '/srv/disk'], excludePaths: ['/srv/disk/restic'], problems: [], isIncomplete: false })
      expect(of([folder, mountOf('/srv/other')], [repository])).toMatchObject({ excludePaths: [], problems: [] })
    })

    it('excludes a repository in the folder itself', () => {
      expect(of([folder], [{ ...repository, path: '/opt/web/backup' }])).toMatchObject({ paths: ['/opt/web'], excludePaths: ['/opt/web/backup'], problems: ['warning repository-left-out'] })
    })

    it('takes no mount that is the repository or lies in it', () => {
      const server = source('/srv/disk/restic', { kind: 'named-volume', volume: 'server_data' })
      expect(of([folder, server, mountOf('/srv/disk/restic/data')], [repository])).toEqual({ paths: ['/opt/web'], excludePaths: [], problems: ['warning repository-left-out'], isIncomplete: false })
      expect(of([folder, mountOf('/srv/disk/restic')], [repository], { includeBinds: 'none' })).toMatchObject({ paths: ['/opt/web'], problems: [] })
    })

    it('excludes the state folder without a word', () => {
      expect(of([folder, mountOf('/var/lib/stackbk')], [state])).toEqual({ paths: ['/opt/web'], excludePaths: [], problems: [], isIncomplete: false })
      expect(of([folder, mountOf('/var/lib')], [state])).toMatchObject({ excludePaths: ['/var/lib/stackbk'], problems: [] })
    })

    it('excludes the folders of other stacks, and names those that no backup holds', () => {
      const all = [stackAt('web'), stackAt('db'), stackAt('old', false)]
      expect(of([folder, mountOf('/opt')], all)).toEqual({ paths: ['/opt'], excludePaths: ['/opt/db', '/opt/old'], problems: ['warning not-in-backup'], isIncomplete: false })
      expect(of([folder, mountOf('/opt')], all, { ignoreMounts: ['/opt/old'] })).toMatchObject({ excludePaths: ['/opt/db', '/opt/old'], problems: [] })
      expect(of([folder, mountOf('/opt/db')], all)).toMatchObject({ paths: ['/opt/web'], problems: [] })
    })

    it('keeps a folder that another stack shares, and a stack within its own folder', () => {
      expect(of([folder, mountOf('/opt/db/shared')], [stackAt('db')])).toMatchObject({ paths: ['/opt/db/shared', '/opt/web'], excludePaths: [], problems: [] })
      expect(of([folder], [stackAt('web/inner')])).toMatchObject({ paths: ['/opt/web'], excludePaths: [], problems: [] })
    })

    it('keeps its own folder where that lies in what is excluded', () => {
      expect(of([folder, mountOf('/')], [{ ...stackAt(''), path: '/opt' }])).toMatchObject({ paths: ['/', '/opt/web'], excludePaths: ['/opt'] })
    })
  })

  it('warns of a volume that is declared and not there, and is incomplete where its data is elsewhere', () => {
    const gone = source('/var/lib/docker/volumes/web_data/_data', { kind: 'named-volume', volume: 'web_data', canBeRead: false, whyNot: 'there is no volume of this name', missing: 'nowhere' })
    const codes = (sources: readonly Source[], more: Partial<CoverageChoices> = {}): unknown => {
      const { problems, isIncomplete } = coverageOf(web, sources, { ...choices, ...more })
      return [problems.map(({ severity, code }) => `${severity} ${code}`), isIncomplete]
    }
    expect(codes([folder, gone])).toEqual([['warning volume-not-found'], false])
    expect(codes([folder, { ...gone, missing: 'elsewhere' }])).toEqual([['error volume-not-found'], true])
    expect(codes([folder, { ...gone, missing: 'elsewhere' }], { ignoreMounts: ['web_data'] })).toEqual([[], false])
  })
})
