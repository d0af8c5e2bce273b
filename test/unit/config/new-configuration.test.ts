import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { loadConfiguration } from '../../../src/config/configuration.js'
import { type NewConfigurationRequest, writeNewConfiguration } from '../../../src/config/new-configuration.js'
import { exitCodeOf } from '../../../src/errors.js'
import { at, descriptors, errorOf, rclone, restic, world, write } from './fixtures.js'

describe('a first configuration', () => {
  const request = (more: Partial<NewConfigurationRequest> = {}): NewConfigurationRequest => ({
    output: at('new/config.ini'),
    repository: at('repo dir'),
    generatePassword: true,
    force: false,
    environment: {},
    descriptors,
    ...more,
  })

  it('can be used as it is, and nobody else can read it or the password', () => {
    mkdirSync(at('stacks # mine'))
    const written = writeNewConfiguration(request({ stacksDirectory: at('stacks # mine'), remote: 'b2', remotePath: '/there' }))
    expect(written).toMatchObject({ file: at('new/config.ini'), previous: null, passwordFile: at('new/repository-password'), isPasswordNew: true, problems: [] })
    for (const file of [written.file, written.passwordFile]) expect(statSync(file).mode & 0o777).toBe(0o600)
    const configuration = loadConfiguration({ file: written.file, environment: {}, descriptors, needs: ['stacks', 'repository', 'password', 'remote'] })
    expect(configuration.problems).toEqual([])
    expect(configuration.docker.stacksDirectory).toBe(at('stacks # mine'))
    expect(configuration.settingsOf(restic)).toMatchObject({ RESTIC_REPOSITORY: at('repo dir'), RESTIC_PASSWORD_FILE: written.passwordFile })
    expect(configuration.settingsOf(rclone)).toMatchObject({ RCLONE_REMOTE: 'b2', RCLONE_PATH: '/there' })
    expect(readFileSync(written.passwordFile, 'utf8')).toMatch(/^[\w-]{43}\n$/)
    expect(readdirSync(at('new')).toSorted()).toEqual(['config.ini', 'repository-password'])
  })

  it('does without a cloud, and takes a password file that is there', () => {
    const passwordFile = write('password', 'secret\n')
    const written = writeNewConfiguration(request({ generatePassword: false, passwordFile, repository: 'sftp:host:/repo' }))
    expect(written.isPasswordNew).toBe(false)
    const configuration = loadConfiguration({ file: written.file, environment: {}, descriptors, needs: ['repository', 'password', 'remote-if-any'] })
    expect(configuration.settingsOf(restic)['RESTIC_REPOSITORY']).toBe('sftp:host:/repo')
  })

  it('says so where its folder cannot be made, and leaves nothing', () => {
    write('file', '')
    for (const output of [at('file/x/config.ini'), '/proc/none/config.ini']) {
      expect(errorOf(() => writeNewConfiguration(request({ output })))).toMatchObject({ kind: 'failed', code: 'password-not-written' })
    }
    expect(exitCodeOf(errorOf(() => writeNewConfiguration(request({ repository: '/srv/a\nb' }))))).toBe(2)
    expect(readdirSync(world.folder)).toEqual(['file'])
  })

  it('replaces another only by force, and keeps that one', () => {
    write('new/config.ini', '# mine\n')
    const error = errorOf(() => writeNewConfiguration(request()))
    expect([error.code, exitCodeOf(error)]).toEqual(['config-exists', 2])
    expect(existsSync(at('new/repository-password'))).toBe(false)
    expect(writeNewConfiguration(request({ force: true })).previous).toBe(at('new/config.ini.old'))
    expect(readFileSync(at('new/config.ini.old'), 'utf8')).toBe('# mine\n')
    expect(writeNewConfiguration(request({ force: true, passwordFile: at('other') })).previous).toBe(at('new/config.ini.old.1'))
  })

  it('never overwrites a password', () => {
    const passwordFile = write('password', 'the only one\n')
    for (const force of [false, true]) {
      expect(errorOf(() => writeNewConfiguration(request({ passwordFile, force })))).toMatchObject({ kind: 'usage', code: 'password-exists' })
    }
    expect(readFileSync(passwordFile, 'utf8')).toBe('the only one\n')
    expect(existsSync(at('new'))).toBe(false)
  })

  it('is not written where it would not be a right one', () => {
    mkdirSync(at('stacks'))
    for (const wrong of [
      { repository: world.folder, stacksDirectory: at('stacks') },
      { repository: undefined },
      { generatePassword: false },
      { generatePassword: false, passwordFile: at('none') },
      { generatePassword: false, passwordFile: write('template', 'CHANGE_ME') },
    ]) {
      expect(exitCodeOf(errorOf(() => writeNewConfiguration(request(wrong))))).toBe(2)
    }
    expect(existsSync(at('new'))).toBe(false)
  })
})
