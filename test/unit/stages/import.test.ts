import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { checkConfiguration } from '../../../src/config/configuration.js'
import { exitCodeOf, StackbkError } from '../../../src/errors.js'
import { importSetup, type ImportRequest, type ImportResult } from '../../../src/stages/import.js'
import { descriptors, rclone, restic } from '../config/fixtures.js'

describe('importing', () => {
  let folder = ''
  const at = (path: string): string => join(folder, path)
  const text = (path: string): string => readFileSync(at(path), 'utf8')
  const facts = { id: 'r', command: 'config import', dryRun: false, startedAt: new Date(), interruptedBy: () => null }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'stackbk-import-'))
    mkdirSync(at('stacks'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  function write(path: string, content: string): string {
    mkdirSync(dirname(at(path)), { recursive: true })
    writeFileSync(at(path), content, { mode: 0o600 })
    return at(path)
  }

  /** Also proves that the source stays as it is. */
  async function imported(path: string, content: string, more: Partial<ImportRequest> = {}): Promise<ImportResult & { exitCode: number }> {
    const source = write(path, content)
    const before = statSync(source)
    try {
      const { result, exitCode } = await importSetup(facts, { source, output: at('new/config.ini'), force: false, environment: {}, descriptors, ...more })
      return { ...result, exitCode }
    } finally {
      expect(readFileSync(source, 'utf8')).toBe(content)
      expect(statSync(source)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs })
    }
  }

  const loaded = () => checkConfiguration({ file: at('new/config.ini'), exists: true, text: text('new/config.ini'), mode: 0o600, environment: {}, descriptors, needs: ['repository', 'remote'] })

  it('a flat configuration gives one with sections that means the same', async () => {
    const result = await imported(
      'old/backup.conf',
      '#!/bin/bash\n# my backup\nexport BACKUP_DIR="/srv/stacks" # all of them\n\n# the disk\nRESTIC_REPOSITORY=/mnt/repo\nRESTIC_PASSWORD=\'it\'\\\'\'s # secret\'\nRCLONE_REMOTE=b2\nRCLONE_BACKUP_PATH=/old\nTIMEOUT=5\nTIMEOUT=6\nLOG_FILE=/var/log/x\nPATH=/usr/bin\nsource /etc/more\n# the end\n',
    )
    expect(result).toMatchObject({ kind: 'configuration', status: 'ok', exitCode: 0, previous: null, putAside: [10, 12, 13, 14] })
    expect(statSync(at('new/config.ini')).mode & 0o777).toBe(0o600)
    expect(text('new/config.ini')).toBe(
      '[docker]\n#!/bin/bash\n# my backup\n# all of them\nDOCKER_STACKS_DIR=/srv/stacks\n# given again below: TIMEOUT=5\nDOCKER_TIMEOUT=6\n\n' +
        '[local_backup]\n# the disk\nRESTIC_REPOSITORY=/mnt/repo\nRESTIC_PASSWORD="it\'s # secret"\n\n' +
        '[cloud_sync]\nRCLONE_REMOTE=b2\nRCLONE_PATH=/old\n\n' +
        '# not known to stackbk: LOG_FILE=/var/log/x\n# not known to stackbk: PATH=/usr/bin\n# not understood: source /etc/more\n# the end\n',
    )
    const configuration = loaded()
    expect(configuration.problems).toEqual([])
    expect(configuration.docker).toMatchObject({ stacksDirectory: '/srv/stacks', graceSeconds: 6 })
    expect(configuration.settingsOf(rclone)['RCLONE_PATH']).toBe('/old')
  })

  it('a configuration with sections comes with its comments, its paths still pointing where they did', async () => {
    const result = await imported(
      'old/config.ini',
      '# mine\n[docker]\n# stacks\nSTACKS_DIR=stacks # here\n[log]\nLEVEL=debug\n[local_backup]\nREPOSITORY=/mnt/repo\nRESTIC_PASSWORD_FILE=pw\n[cloud_sync]\nRCLONE_REMOTE=b2\n[stack:My Stack]\nEXCLUDE=*.log, "a,b"\n',
    )
    expect(result.exitCode).toBe(0)
    const configuration = loaded()
    expect(configuration.docker.stacksDirectory).toBe(at('old/stacks'))
    expect(configuration.settingsOf(restic)['RESTIC_PASSWORD_FILE']).toBe(at('old/pw'))
    expect(configuration.stack('My Stack').exclude).toEqual(['*.log', 'a,b'])
    for (const kept of ['# mine', '# stacks', '# here', '# [log]', '# not known to stackbk: LEVEL=debug']) expect(text('new/config.ini')).toContain(kept)
  })

  it('a configuration with errors is taken over all the same, and says so with exit code 3', async () => {
    const result = await imported('old.ini', '[local_backup]\nRESTIC_PASSWORD=CHANGE_ME\nKEEP_DAILY=lots\n')
    expect(result).toMatchObject({ status: 'partial', exitCode: 3 })
    expect(result.problems.map(({ code }) => code)).toEqual(['placeholder', 'bad-value'])
    expect(text('new/config.ini')).toContain('KEEP_DAILY=lots')
  })

  it('never replaces a configuration, unless by force, and then keeps it', async () => {
    write('new/config.ini', '# mine\n')
    await expect(imported('old.ini', '[docker]\nTIMEOUT=5\n')).rejects.toMatchObject({ code: 'config-exists' })
    expect(text('new/config.ini')).toBe('# mine\n')
    const result = await imported('old.ini', '[docker]\nTIMEOUT=5\n', { force: true })
    expect(result.previous).toBe(at('new/config.ini.old'))
    expect(text('new/config.ini.old')).toBe('# mine\n')
  })

  it('never writes onto its source', async () => {
    const error = await imported('new/config.ini', 'BACKUP_DIR=/srv\n', { force: true }).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(StackbkError)
    expect(exitCodeOf(error)).toBe(2)
  })

  it("an rclone configuration is named in ours, line by line, with its remote where there is only one", async () => {
    write('new/config.ini', '# mine\n[cloud_sync]\nTRANSFERS=2\n')
    const result = await imported('rclone.conf', '[My B2]\ntype = b2\nkey = x\n')
    expect(result).toMatchObject({ kind: 'rclone', remotes: ['My B2'], taken: ['cloud_sync/RCLONE_CONFIG', 'cloud_sync/RCLONE_REMOTE'] })
    expect(text('new/config.ini')).toBe(`# mine\n[cloud_sync]\nTRANSFERS=2\nRCLONE_CONFIG=${at('rclone.conf')}\nRCLONE_REMOTE=My B2\n`)
    expect(existsSync(at('new/config.ini.old'))).toBe(false)
    const again = await imported('other.conf', '[a]\ntype = b2\n[b]\ntype = s3\n')
    expect(again).toMatchObject({ remotes: ['a', 'b'], taken: [], problems: [{ code: 'kept' }] })
    await imported('other.conf', '[a]\ntype = b2\n[b]\ntype = s3\n', { force: true })
    expect(text('new/config.ini')).toContain(`RCLONE_CONFIG=${at('other.conf')}\nRCLONE_REMOTE=My B2\n`)
  })

  it('an encrypted rclone configuration is recognised', async () => {
    const result = await imported('rclone.conf', '# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nabc=\n')
    expect(result).toMatchObject({ kind: 'rclone', remotes: [] })
    expect(result.nextSteps.join()).toContain('encrypted')
  })

  it.each([
    ['name=true', '# mine\nweb=TRUE\ndb=false\n/srv/x=true\n', ['web', 'db', '/srv/x']],
    ['+name', '+web\n-my stack\n', ['web', 'my stack']],
    ['EXT:/path', 'web=true\nEXT:/srv/x\n', ['web', '/srv/x']],
  ])('a dirlist in the notation %s comes line by line where we have none', async (_, content, taken) => {
    expect(await imported('old/dirlist', content)).toMatchObject({ kind: 'dirlist', taken, target: at('new/dirlist') })
    expect(text('new/dirlist')).toBe(content)
  })

  it('a dirlist adds to ours what is new there, and ours counts where they differ, unless by force', async () => {
    mkdirSync(at('new'))
    write('new/dirlist', '# ours\nweb=true\n')
    write('new/config.ini', `[docker]\nSTACKS_DIR=${at('stacks')}\n`)
    const theirs = '-web\n+db\nEXT:/srv/x\n'
    expect(await imported('old/dirlist', theirs)).toMatchObject({ taken: ['db', '/srv/x'], problems: [{ severity: 'warning', code: 'kept' }] })
    expect(text('new/dirlist')).toBe('# ours\nweb=true\ndb=true\n/srv/x=true\n')
    expect(await imported('old/dirlist', theirs, { force: true })).toMatchObject({ taken: ['web'] })
    expect(text('new/dirlist')).toBe('# ours\nweb=false\ndb=true\n/srv/x=true\n')
  })

  it('what is none of these is refused, and nothing is written', async () => {
    for (const content of ['hello\n', '', '[section]\nkey=value\n']) {
      const error = await imported('what', content).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'import-unknown' })
    }
    expect(existsSync(at('new'))).toBe(false)
  })
})
