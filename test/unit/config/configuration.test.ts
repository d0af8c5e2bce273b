import { chownSync, mkdirSync, symlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

import { isSecret, type Secret } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { loadConfiguration, salvageNotifications } from '../../../src/config/configuration.js'
import { exitCodeOf } from '../../../src/errors.js'
import { at, descriptors, errorOf, load, rclone, restic, webhook, world, write } from './fixtures.js'

const minimal = '[local_backup]\nRESTIC_REPOSITORY=/srv/repo\n'

it.each([
  ['', 48],
  ['KEEP_DAILY=3', 48],
  ['KEEP_LAST=0', 48],
  ['KEEP_LAST=1', 0],
  ['KEEP_LAST=1\nKEEP_WITHIN=6h', 6],
])('with %j in the file all snapshots of %i hours are kept besides the numbers', (lines, hours) => {
  expect(load(`${minimal}${lines}\n`).backup.retention.withinMs).toBe(hours * 3_600_000)
})

describe('where the configuration is found', () => {
  const request = (environment: Record<string, string>, file?: string) => ({ environment: { HOME: at('home'), ...environment }, descriptors, file, systemFile: at('etc/stackbk/config.ini') })

  it('is --config, then $STACKBK_CONFIG, then $XDG_CONFIG_HOME, then the home folder', () => {
    const flag = write('flag.ini', minimal)
    const variable = write('variable.ini', minimal)
    const xdg = write('xdg/stackbk/config.ini', minimal)
    const home = write('home/.config/stackbk/config.ini', minimal)
    expect(loadConfiguration(request({ STACKBK_CONFIG: variable, XDG_CONFIG_HOME: at('xdg') }, flag)).file).toBe(flag)
    expect(loadConfiguration(request({ STACKBK_CONFIG: variable, XDG_CONFIG_HOME: at('xdg') })).file).toBe(variable)
    expect(loadConfiguration(request({ STACKBK_CONFIG: '', XDG_CONFIG_HOME: at('xdg') })).file).toBe(xdg)
    expect(loadConfiguration(request({})).file).toBe(home)
    expect(loadConfiguration(request({ XDG_CONFIG_HOME: 'not/absolute' })).file).toBe(home)
  })

  it('never falls through where a named file is missing', () => {
    write('home/.config/stackbk/config.ini', minimal)
    for (const asked of [request({}, at('none.ini')), request({ STACKBK_CONFIG: at('none.ini') })]) {
      const error = errorOf(() => loadConfiguration({ ...asked, whenMissing: 'defaults' }))
      expect(error.code).toBe('config-missing')
      expect(error.message).toContain(at('none.ini'))
      expect(exitCodeOf(error)).toBe(2)
    }
  })

  it('is not read where it is far too large to be one: a device, an image', () => {
    const error = errorOf(() => loadConfiguration(request({}, write('large.ini', `${minimal}${'#'.repeat(1024 ** 2)}`))))
    expect([error.code, exitCodeOf(error)]).toEqual(['config-unreadable', 2])
    expect(errorOf(() => loadConfiguration(request({}, '/dev/zero'))).detail).toContain('1024 KiB')
  })

  it('is told in whole where there is none, and defaults serve a command that can work with them', () => {
    const error = errorOf(() => loadConfiguration(request({})))
    expect(error.detail).toContain(at('home/.config/stackbk/config.ini'))
    expect(error.detail).toContain(at('etc/stackbk/config.ini'))
    const configuration = loadConfiguration({ ...request({}), whenMissing: 'defaults' })
    expect(configuration.exists).toBe(false)
    expect(configuration.docker.stacksDirectory).toBe('/opt/docker-stacks')
  })

  it('says so where the file is a folder or not text', () => {
    mkdirSync(at('folder.ini'))
    expect(errorOf(() => loadConfiguration(request({}, at('folder.ini')))).code).toBe('config-unreadable')
    const file = write('latin.ini', Buffer.from('[docker]\n# caf\xe9\n', 'latin1'))
    expect(errorOf(() => loadConfiguration(request({}, file))).detail).toContain('UTF-8')
  })
})

describe('the settings', () => {
  it('have the documented defaults', () => {
    const configuration = load(minimal)
    expect(configuration.docker).toEqual({
      stacksDirectory: '/opt/docker-stacks',
      graceSeconds: 300,
      stopMode: 'auto',
      healthTimeoutMs: 120_000,
      warmPass: 'auto',
      freeze: 'auto',
      maxDowntimeMs: null,
      ignoreWriters: [],
      dirlist: at('dirlist'),
      runtime: 'compose',
    })
    expect(configuration.backup).toEqual({
      backupTimeoutMs: null,
      stallTimeoutMs: 600_000,
      hostname: hostname(),
      retention: { last: 0, daily: 7, weekly: 4, monthly: 6, yearly: 2, withinMs: 48 * 3_600_000 },
      autoInit: true,
      autoPrune: true,
      verification: true,
      verificationDepth: 'metadata',
      includeVolumes: true,
      includeBinds: 'none',
      ignoreMounts: [],
      shrinkGuardPercent: 50,
      maxAgeMs: 26 * 3_600_000,
      lockWaitMs: null,
      formerMachines: [],
      engine: 'restic',
    })
    expect(configuration.cloud).toEqual({ provider: 'rclone', retries: 3, syncTimeoutMs: null, restoreTimeoutMs: null, maxDeletePercent: 50, trashDays: 0 })
    expect(configuration.drill).toEqual({ probe: null, probeTimeoutMs: 60_000, sampleFiles: 100, parallelStacks: null })
    expect(configuration.problems).toEqual([])
  })

  it('are read in any case and by their aliases', () => {
    const { docker, cloud } = load('[DOCKER]\nstacks_dir = stacks\nTimeout=5\nstop_mode=PAUSE\nWARM_PASS=no\n[Cloud_Sync]\nrclone_retries=7\nMAX_DELETE=20 %\n')
    expect(docker).toMatchObject({ stacksDirectory: at('stacks'), graceSeconds: 5, stopMode: 'pause', warmPass: false })
    expect(cloud).toMatchObject({ retries: 7, maxDeletePercent: 20 })
  })

  it('of a stack stand over the general ones', () => {
    const configuration = load(
      '[docker]\nSTOP_MODE=down\nMAX_DOWNTIME=60\nIGNORE_WRITERS=*/dockge*, portainer_agent\n[local_backup]\nIGNORE_MOUNTS=/a\nINCLUDE_VOLUMES=true\n[drill]\nPROBE=curl x\n' +
        '[stack:My Stack]\nSTOP_MODE=none\nEXCLUDE=*.log, cache\nINCLUDE_VOLUMES=false\nIGNORE_MOUNTS=/b, /a\nMAX_DOWNTIME=none\nSHRINK_GUARD=0\nWARM_PASS=true\nFREEZE=none\nIGNORE_WRITERS=files\nDOCKER_TIMEOUT=15m\n',
    )
    expect(configuration.stackSections).toEqual(['My Stack'])
    expect(configuration.stack('My Stack')).toEqual({
      stopMode: 'none',
      graceSeconds: 900,
      exclude: ['*.log', 'cache'],
      includeVolumes: false,
      includeBinds: 'none',
      ignoreMounts: ['/a', '/b'],
      ignoreWriters: ['*/dockge*', 'portainer_agent', 'files'],
      warmPass: true,
      freeze: 'none',
      maxDowntimeMs: null,
      shrinkGuardPercent: 0,
      probe: 'curl x',
    })
    expect(configuration.stack('other')).toMatchObject({ stopMode: null, graceSeconds: 300, exclude: [], maxDowntimeMs: 60_000, includeVolumes: true, shrinkGuardPercent: 50 })
  })

  it('of a stack can be a stop timeout of its own, by either name, and never none', () => {
    expect(load('[docker]\nDOCKER_TIMEOUT=20\n[stack:web]\nTIMEOUT=5\n').stack('web').graceSeconds).toBe(5)
    for (const value of ['none', '0', '2d', 'soon']) expect(errorOf(() => load(`[stack:web]\nDOCKER_TIMEOUT=${value}\n`)).detail).toContain('DOCKER_TIMEOUT')
  })

  it('of a provider are given to it whole, by their declared names', () => {
    const configuration = load(`[local_backup]\nREPOSITORY=/srv/repo\nPASSWORD_COMMAND=sh -c 'pass show x' # note\n[cloud_sync]\nPATH=/elsewhere\nBANDWIDTH="08:00,512k 23:00,off"\n`)
    expect(configuration.settingsOf(restic)).toEqual({
      RESTIC_REPOSITORY: '/srv/repo',
      RESTIC_PASSWORD_FILE: null,
      RESTIC_PASSWORD_COMMAND: "sh -c 'pass show x'",
      RESTIC_PASSWORD: null,
    })
    expect(configuration.settingsOf(rclone)).toEqual({ RCLONE_REMOTE: null, RCLONE_PATH: '/elsewhere', RCLONE_CONFIG: null, TRANSFERS: 4, BANDWIDTH: '08:00,512k 23:00,off' })
  })

  it('of a notification are those of its type', () => {
    const configuration = load('[notify:chat]\nTYPE=webhook\nURL=https://chat.example/hook/abc\nTEMPLATE=chat.json\nON=always\n')
    expect(configuration.notifications).toEqual([{ name: 'chat', type: 'webhook', on: 'always' }])
    expect(configuration.settingsOf(webhook, 'chat')).toMatchObject({ SECRET_FILE: null, TEMPLATE: at('chat.json'), HEADERS: null })
    expect((configuration.settingsOf(webhook, 'chat')['URL'] as Secret).reveal()).toBe('https://chat.example/hook/abc')
    expect(configuration.problems).toEqual([])
  })

  it("come from a tool's own variables only where the file is silent and nothing is redirected", () => {
    const environment = { RESTIC_PASSWORD_FILE: '/env/password', RESTIC_REPOSITORY: '/env/repo', RCLONE_CONFIG: '/env/rclone.conf', RCLONE_REMOTE: 'stray' }
    const silent = load('[docker]\n', { environment })
    expect(silent.settingsOf(restic)).toMatchObject({ RESTIC_PASSWORD_FILE: '/env/password', RESTIC_REPOSITORY: null })
    expect(silent.settingsOf(rclone)).toMatchObject({ RCLONE_CONFIG: '/env/rclone.conf', RCLONE_REMOTE: null })
    const given = load('[local_backup]\nRESTIC_PASSWORD=real\n', { environment })
    expect(given.settingsOf(restic)['RESTIC_PASSWORD_FILE']).toBeNull()
    expect((given.settingsOf(restic)['RESTIC_PASSWORD'] as Secret).reveal()).toBe('real')
  })

  it('know where each of them comes from', () => {
    const configuration = load('[docker]\nTIMEOUT=5\n[local_backup]\nRESTIC_PASSWORD=real\n[stack:web]\nEXCLUDE=x\n', { environment: { RCLONE_CONFIG: '/env/rclone.conf' } })
    const origins = new Map(configuration.resolved().map(({ section, declaration, origin }) => [`${section}/${declaration.key}`, origin]))
    expect(origins.get('docker/DOCKER_TIMEOUT')).toEqual({ kind: 'file', line: 2 })
    expect(origins.get('docker/STOP_MODE')).toEqual({ kind: 'default' })
    expect(origins.get('cloud_sync/RCLONE_CONFIG')).toEqual({ kind: 'environment', name: 'RCLONE_CONFIG' })
    expect(origins.get('stack:web/EXCLUDE')).toEqual({ kind: 'file', line: 6 })
    expect(origins.has('stack:web/PROBE')).toBe(false)
    expect(JSON.stringify(configuration.resolved().map(({ value }) => value))).not.toContain('real')
  })
})

describe('a wrong configuration', () => {
  it('lists all its problems at once, each with file and line', () => {
    const error = errorOf(() =>
      load('[docker]\nSTOP_MODE=slowly\nDOCKER_TIMEOUT=0\nnonsense\n[local_backup]\nRESTIC_PASSWORD=CHANGE_ME\nAUTO_PRUNE=perhaps\nUNKNOWN=1\n', {
        needs: ['repository', 'remote'],
      }),
    )
    const file = at('config.ini')
    expect(error.problems.map(({ severity, code, message }) => [severity, code, message.split(' ', 2).join(' ')])).toEqual([
      ['error', 'missing-key', `${file}: RESTIC_REPOSITORY`],
      ['error', 'missing-key', `${file}: RCLONE_REMOTE`],
      ['error', 'bad-value', `${file}:2: STOP_MODE`],
      ['error', 'out-of-range', `${file}:3: DOCKER_TIMEOUT`],
      ['error', 'unreadable-line', `${file}:4: this`],
      ['error', 'placeholder', `${file}:6: RESTIC_PASSWORD`],
      ['error', 'bad-value', `${file}:7: AUTO_PRUNE`],
      ['warning', 'unknown-key', `${file}:8: there`],
    ])
    expect(error.message).toContain('7 errors')
    expect(error.detail.split('\n')).toHaveLength(8)
    expect(error.detail).toContain('\nwarning: ')
    expect(exitCodeOf(error)).toBe(2)
    expect(error.detail + error.message).not.toContain('CHANGE_ME')
  })

  it('with a single error says that one', () => {
    const error = errorOf(() => load('[docker]\nSTOP_MODE=slowly\n'))
    expect(error.detail).toBe(`${at('config.ini')}:2: STOP_MODE must be one of auto, down, stop, pause, none, not 'slowly'`)
    expect(error.code).toBe('bad-value')
  })

  it('is refused where others can read it and it holds a secret', () => {
    for (const text of ['[local_backup]\nPASSWORD=real\n', '[local_backup]\nRESTIC_REPOSITORY=rest:https://ann:real@host/\n', '[notify:x]\nTYPE=ping\nURL=https://hc.example/uuid\n', 'RESTIC_PASSWORD=real\n']) {
      const error = errorOf(() => load(text, { mode: 0o640 }))
      expect(error.code).toBe('config-readable')
      expect(error.fix).toBe(`Run: chmod 600 ${at('config.ini')}`)
      expect(error.message).not.toContain('real')
      expect(() => load(text, { mode: 0o600 })).not.toThrow()
    }
    expect(() => load('[local_backup]\nRESTIC_PASSWORD=\nRESTIC_PASSWORD_FILE=/x\n', { mode: 0o644 })).not.toThrow()
    expect(errorOf(() => load('[local_backup]\nRESTIC_PASSWORD=real\n', { mode: 0o644, descriptors: [] })).code).toBe('config-readable')
  })

  it('warns where anyone can change it, and is refused by root', () => {
    if (process.getuid?.() === 0) expect(errorOf(() => load(minimal, { mode: 0o646 }))).toMatchObject({ kind: 'configuration', code: 'not-trusted' })
    else expect(load(minimal, { mode: 0o646 }).problems).toMatchObject([{ severity: 'warning', code: 'config-writable' }])
  })

  it('warns of unknown keys and sections with the nearest known name', () => {
    const { problems } = load('[dokcer]\nx=1\n[docker]\nSTOP_MOD=stop\nRESTIC_REPOSITORY=/x\n[stak:web]\n[plugin:none]\nA=1\n')
    expect(problems.map(({ severity, code, fix }) => [severity, code, fix])).toEqual([
      ['warning', 'unknown-section', 'Did you mean [docker]?'],
      ['warning', 'unknown-key', 'Did you mean STOP_MODE?'],
      ['warning', 'unknown-key', 'It belongs in [local_backup].'],
      ['warning', 'unknown-section', 'Did you mean [stack:NAME]?'],
      ['warning', 'unknown-section', expect.stringContaining('whether the plugin is installed')],
    ])
  })

  it('says where a key of another section belongs, also of one with a name of its own', () => {
    const { problems } = load('[local_backup]\nEXCLUDE=*.log\nON=failure\n[stack:web]\nKEEP_DAILY=3\n[notify:x]\nTYPE=webhook\nURL=https://x.example/\nON=failure\nSTOP_MODE=stop\n')
    const fixes = problems.filter(({ code }) => code === 'unknown-key').map(({ message, fix }) => [/no key (\w+)/.exec(message)?.[1], fix])
    expect(fixes).toEqual(expect.arrayContaining([['EXCLUDE', 'It belongs in [stack:NAME].'], ['ON', 'It belongs in [notify:NAME].'], ['KEEP_DAILY', 'It belongs in [local_backup].']]))
  })

  it('is not blamed for keys of providers that were not asked', () => {
    const { problems } = load('[local_backup]\nRESTIC_REPOSITORY=/x\nANY=1\n[cloud_sync]\nRCLONE_REMOTE=b2\n[plugin:rsync]\nHOST=x\n[notify:x]\nTYPE=webhook\nHEADERS=a\n[docker]\nSTOP_MOD=x\n', { descriptors: [] })
    expect(problems.map(({ code }) => code)).toEqual(['unknown-key'])
  })

  it('has an error with its line for what is wrong with a notification, and only its own plugin says what that is', () => {
    const text = '[notify:a]\nTYPE=pign\n[notify:b]\nURL=https://x.example\n[notify:c]\nTYPE=ping\nURL=ftp://hunter2.example\n'
    const { detail } = errorOf(() => load(text))
    expect(detail).toContain(":2: there is no TYPE 'pign' for [notify:a]. Did you mean ping? There are: ping, webhook.")
    expect(detail).toContain(':3: TYPE is missing in [notify:b]')
    expect(detail).toContain(':7: URL must be an address that begins with http:// or https://')
    expect(detail).not.toContain('hunter2')
    expect(() => load('[notify:a]\nTYPE=pign\n', { descriptors: [] })).not.toThrow()
  })

  it('asks for what a notification needs only where somebody is told', () => {
    expect(() => load('[notify:a]\nTYPE=ping\n')).not.toThrow()
    const needs = ['notifications'] as const
    expect(errorOf(() => load('[notify:a]\nTYPE=ping\n', { needs })).detail).toContain(':1: URL is missing in [notify:a]')
    const withFile = (file: string): string => `[notify:a]\nTYPE=ping\nURL=https://x.example\nSECRET_FILE=${file}\n`
    expect(errorOf(() => load(withFile('none'), { needs })).detail).toContain(':4: SECRET_FILE names a file that cannot be read')
    write('token', 'abc', 0o644)
    expect(load(withFile('token'), { needs }).problems).toMatchObject([{ severity: 'warning', code: 'secret-file-unusable', fix: `Run: chmod 600 ${at('token')}` }])
    write('token', 'abc', 0o640)
    expect(load(withFile('token'), { needs }).notifications).toHaveLength(1)
    write('token', '\n', 0o600)
    expect(errorOf(() => load(withFile('token'), { needs })).detail).toContain('which is empty')
    const byHand = load(withFile('credential:token'), { needs })
    expect([byHand.notifications, byHand.problems]).toMatchObject([[], [{ severity: 'warning', code: 'secret-file-unusable' }]])
  })

  it('that cannot be used still says who is to hear of that, as far as it does', () => {
    const file = write('config.ini', '[docker]\nTIMEOUT=never\n[notify:good]\nTYPE=ping\nURL=https://x.example\n[notify:bad]\nTYPE=ping\n[notify:worse]\nTYPE=none\n[local_backup]\nHOSTNAME=nas\n')
    const salvaged = salvageNotifications({ file, environment: {}, descriptors })
    expect([salvaged?.notifications, salvaged?.backup.hostname]).toMatchObject([[{ name: 'good' }], 'nas'])
    expect(salvageNotifications({ file: at('none.ini'), environment: {}, descriptors })).toBeNull()
  })

  it('has an error for two different values of one key and a warning for the same twice', () => {
    const error = errorOf(() => load('[cloud_sync]\nRETRIES=3\nRCLONE_RETRIES=5\n'))
    expect(error.detail).toContain('RETRIES in line 2, RCLONE_RETRIES in line 3')
    expect(load('[docker]\nTIMEOUT=5\n[docker]\nDOCKER_TIMEOUT=5\n').problems).toMatchObject([{ severity: 'warning', code: 'given-twice' }])
  })

  it('has an error for a key before the first section', () => {
    expect(errorOf(() => load('TIMEOUT=5\n[docker]\n')).detail).toContain(':1: TIMEOUT stands before the first section')
  })

  it('has an error where pruning would keep nothing', () => {
    const none = 'KEEP_LAST=0\nKEEP_DAILY=0\nKEEP_WEEKLY=0\nKEEP_MONTHLY=0\nKEEP_YEARLY=0\n'
    expect(errorOf(() => load(`[local_backup]\n${none}`)).code).toBe('keeps-nothing')
    expect(load(`[local_backup]\nAUTO_PRUNE=off\n${none}`).backup.autoPrune).toBe(false)
  })

  it('has an error for a freezer that nobody knows, once it is known who knows one', () => {
    expect(errorOf(() => load('[stack:web]\nFREEZE=btrf\n')).detail).toContain("not 'btrf'")
    expect(load('[stack:web]\nFREEZE=lvm\n', { descriptors: [] }).stack('web').freeze).toBe('lvm')
  })

  it('has an error where the dirlist would be the configuration itself', () => {
    expect(errorOf(() => load('[docker]\nDIRLIST=config.ini\n')).code).toBe('dirlist-is-config')
  })

  it('warns where a secret ends at a comment that may be meant as part of it', () => {
    expect(load('[local_backup]\nRESTIC_PASSWORD=abc #def\n').problems).toMatchObject([{ code: 'secret-cut' }])
    expect(load('[local_backup]\nRESTIC_PASSWORD="abc #def" # note\n').problems).toEqual([])
  })

  it('warns where more than one password is given, and takes the first of the table', () => {
    const configuration = load('[local_backup]\nRESTIC_PASSWORD=real\nRESTIC_PASSWORD_FILE=/p\n')
    expect(configuration.problems).toMatchObject([{ severity: 'warning', code: 'only-one-counts' }])
    expect(configuration.settingsOf(restic)).toMatchObject({ RESTIC_PASSWORD: null, RESTIC_PASSWORD_FILE: '/p' })
  })
})

describe('the place of the repository', () => {
  const stacks = (repository: string): string => `[docker]\nSTACKS_DIR=${at('stacks')}\n[local_backup]\nRESTIC_REPOSITORY=${repository}\n`

  it('within a stack is an error, also behind a symbolic link', () => {
    write('stacks/web/compose.yaml', '')
    symlinkSync(at('stacks/web'), at('link'))
    for (const repository of [at('stacks/web/repo'), at('link/repo')]) {
      expect(errorOf(() => load(stacks(repository))).code).toBe('repository-in-stack')
    }
  })

  it('beside the stacks in their folder is a warning', () => {
    write('stacks/web/compose.yaml', '')
    expect(load(stacks(at('stacks/repo'))).problems).toMatchObject([{ severity: 'warning', code: 'repository-in-stacks' }])
  })

  it('around the stacks is an error', () => {
    mkdirSync(at('stacks'))
    expect(errorOf(() => load(stacks(world.folder))).code).toBe('repository-holds-stacks')
    expect(errorOf(() => load(stacks(at('stacks')))).code).toBe('repository-holds-stacks')
  })

  it('elsewhere, or on another host, is fine', () => {
    expect(load(stacks(at('stacks-and-more'))).problems).toEqual([])
    expect(load(stacks('sftp:host:/srv/repo')).problems).toEqual([])
  })
})

describe('a command', () => {
  const withPassword = (line: string): string => `${minimal}${line}\n`

  it('asks only for what it needs', () => {
    expect(() => load('[docker]\n')).not.toThrow()
    expect(() => load('[docker]\n', { needs: ['stacks'] })).not.toThrow()
    expect(errorOf(() => load('[docker]\n', { needs: ['repository'] })).detail).toContain('RESTIC_REPOSITORY is missing in [local_backup]')
    expect(errorOf(() => load('[docker]\n', { needs: ['remote'] })).detail).toContain('RCLONE_REMOTE is missing in [cloud_sync]')
    expect(errorOf(() => load(minimal, { needs: ['password'] })).detail).toContain('RESTIC_PASSWORD_FILE or RESTIC_PASSWORD_COMMAND or RESTIC_PASSWORD is missing')
    expect(() => load(withPassword('RESTIC_PASSWORD_COMMAND=pass show x'), { needs: ['repository', 'password'] })).not.toThrow()
  })

  it('may ask for the remote only where the file says anything of the cloud', () => {
    expect(() => load(minimal, { needs: ['remote-if-any'] })).not.toThrow()
    expect(errorOf(() => load(`${minimal}[cloud_sync]\nRETRIES=5\n`, { needs: ['remote-if-any'] })).detail).toContain('RCLONE_REMOTE is missing')
  })

  it('that needs the password wants its file there, readable and filled', () => {
    const good = write('password', 'secret\n')
    expect(() => load(withPassword(`RESTIC_PASSWORD_FILE=${good}`), { needs: ['password'] })).not.toThrow()
    for (const bad of [at('none'), write('empty', '\n'), write('template', 'CHANGE_ME\n'), world.folder]) {
      const text = withPassword(`RESTIC_PASSWORD_FILE=${bad}`)
      expect(errorOf(() => load(text, { needs: ['password'] })).detail).toContain(`${at('config.ini')}:3: RESTIC_PASSWORD_FILE`)
      expect(() => load(text, { needs: ['repository'] })).not.toThrow()
    }
  })

  it('that needs the password warns where anyone can read its file', () => {
    const open = write('password', 'secret\n', 0o644)
    expect(load(withPassword(`RESTIC_PASSWORD_FILE=${open}`), { needs: ['password'] }).problems).toMatchObject([{ severity: 'warning', code: 'password-readable' }])
  })

  it.skipIf(process.getuid?.() !== 0)('that needs the password warns root where another user can change its file', () => {
    const theirs = write('password', 'secret\n')
    expect(load(withPassword(`RESTIC_PASSWORD_FILE=${theirs}`), { needs: ['password'] }).problems).toEqual([])
    chownSync(theirs, 1234, 1234)
    expect(load(withPassword(`RESTIC_PASSWORD_FILE=${theirs}`), { needs: ['password'] }).problems).toMatchObject([{ severity: 'warning', code: 'password-not-trusted', message: expect.stringContaining('user 1234') as string }])
  })

  it('that needs the password finds a systemd credential only in such a unit', () => {
    write('credentials/restic', 'secret')
    const text = withPassword('RESTIC_PASSWORD_FILE=credential:restic')
    const inUnit = load(text, { needs: ['password'], environment: { CREDENTIALS_DIRECTORY: at('credentials') } })
    expect(inUnit.settingsOf(restic)['RESTIC_PASSWORD_FILE']).toBe(at('credentials/restic'))
    expect(errorOf(() => load(text, { needs: ['password'] })).detail).toContain('LoadCredential=')
    expect(() => load(text)).not.toThrow()
  })

  it('that needs the password takes it from the environment where the file is silent', () => {
    const environment = { RESTIC_PASSWORD_FILE: write('password', 'secret\n') }
    expect(() => load(minimal, { needs: ['password'], environment })).not.toThrow()
    expect(errorOf(() => load(minimal, { needs: ['password'], environment: { RESTIC_PASSWORD_FILE: at('none') } })).detail).toContain('$RESTIC_PASSWORD_FILE')
  })

  it('that needs stacks is told where their folder is missing', () => {
    const { problems } = load(`[docker]\nSTACKS_DIR=${join(world.folder, 'none')}\n`, { needs: ['stacks'] })
    expect(problems).toMatchObject([{ severity: 'warning', code: 'stacks-folder-missing' }])
    expect(problems[0]?.message).toContain(':2:')
  })
})

describe('the old flat form', () => {
  const flat = 'BACKUP_DIR="/srv/stacks"\nexport RESTIC_REPOSITORY=/srv/repo # there\nRESTIC_PASSWORD=\'a#b\'\nRCLONE_REMOTE=b2\nRCLONE_BACKUP_PATH=/old\nTIMEOUT=5\nPATH=/usr/bin:/bin\n'

  it('is read with its older names, and announced in one line', () => {
    const configuration = load(flat, { needs: ['repository', 'password', 'remote'] })
    expect(configuration.format).toBe('flat')
    expect(configuration.docker).toMatchObject({ stacksDirectory: '/srv/stacks', graceSeconds: 5 })
    const password = configuration.settingsOf(restic)['RESTIC_PASSWORD']
    expect(isSecret(password) && password.reveal()).toBe('a#b')
    expect(configuration.problems[0]).toMatchObject({ severity: 'warning', code: 'legacy-format', fix: `Convert it with: stackbk config import ${at('config.ini')}` })
  })

  it("never takes the shell's search path for the path on the remote", () => {
    const configuration = load(flat)
    expect(configuration.settingsOf(rclone)['RCLONE_PATH']).toBe('/old')
    expect(load('PATH=/backup\n').settingsOf(rclone)['RCLONE_PATH']).toBe('/backup/restic')
    expect(configuration.problems).toContainEqual(expect.objectContaining({ code: 'shell-variable' }))
  })

  it('has the last value count, as in the shell', () => {
    const configuration = load('TIMEOUT=5\nTIMEOUT=6\n')
    expect(configuration.docker.graceSeconds).toBe(6)
    expect(configuration.problems).toContainEqual(expect.objectContaining({ severity: 'warning', code: 'given-twice' }))
  })

  it('warns of what a shell would have expanded', () => {
    expect(load('RESTIC_REPOSITORY=$HOME/repo\n').problems).toContainEqual(expect.objectContaining({ code: 'not-expanded' }))
    expect(errorOf(() => load('BACKUP_DIR=$HOME/stacks\n')).detail).toContain('holds a variable')
    expect(load('RESTIC_PASSWORD=a$b\n').problems.map(({ code }) => code)).toEqual(['legacy-format'])
  })

  it('has its older names only there', () => {
    expect(load('[docker]\nBACKUP_DIR=/x\n').docker.stacksDirectory).toBe('/opt/docker-stacks')
    expect(load('[docker]\nBACKUP_DIR=/x\n').problems).toMatchObject([{ code: 'unknown-key' }])
  })

  it('is not what an empty file is', () => {
    expect(load('# nothing yet\n').problems).toEqual([])
  })
})

it('loading takes a few milliseconds at most, for it stands in the way of every command', () => {
  const file = write('config.ini', `${minimal}${Array.from({ length: 50 }, (_, index) => `[stack:s${index}]\nEXCLUDE=a, b\n`).join('')}`)
  const request = { file, environment: {}, descriptors }
  for (let index = 0; index < 5; index++) loadConfiguration(request)
  // Of the processor, not of the clock: other tests run beside this one.
  const begin = process.cpuUsage()
  for (let index = 0; index < 20; index++) loadConfiguration(request)
  expect(process.cpuUsage(begin).user / 1000 / 20).toBeLessThan(10)
})
