import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { checkConfiguration } from '../../../src/config/configuration.js'
import { exitCodeOf } from '../../../src/errors.js'
import { entriesOf, readDirlist } from '../../../src/stacks/dirlist.js'
import { addExternalStack, applyChoices, refreshDirlist, removeExternalStack, switchStacks } from '../../../src/stacks/dirlist-changes.js'
import { importDirlist } from '../../../src/stacks/dirlist-import.js'
import { editDirlist } from '../../../src/stacks/dirlist-file.js'
import { selectStacks } from '../../../src/stacks/selection.js'
import { compileWithPackages } from '../compiled-packages.js'
import { at, dirlistText, errorOf, place, stack, world, writeDirlist } from './fixtures.js'

const enabledNames = (): string[] => entriesOf(readDirlist(place())).flatMap(({ name, enabled }) => (enabled ? [name] : []))

describe('reading the dirlist', () => {
  it('gives what is listed in its order, then what is only found, and writes nothing', () => {
    for (const name of ['a', 'b', 'c']) stack(name)
    const external = stack(at('other/ext'))
    writeDirlist(`b=true\ngone=yes\n${external}=false\n`)
    expect(entriesOf(readDirlist(place()))).toEqual([
      { name: 'b', path: at('stacks/b'), enabled: true, external: false, available: true },
      { name: 'gone', path: at('stacks/gone'), enabled: true, external: false, available: false },
      { name: 'ext', path: external, enabled: false, external: true, available: true },
      { name: 'a', path: at('stacks/a'), enabled: false, external: false, available: true },
      { name: 'c', path: at('stacks/c'), enabled: false, external: false, available: true },
    ])
    expect(dirlistText()).toBe(`b=true\ngone=yes\n${external}=false\n`)
  })

  it('does without a file, and makes none', () => {
    stack('a')
    expect(entriesOf(readDirlist(place()))).toMatchObject([{ name: 'a', enabled: false }])
    expect(existsSync(at('dirlist'))).toBe(false)
  })

  it('names lines that it does not understand, and stacks listed twice', () => {
    stack('a')
    writeDirlist('a=true\nwhat\na=true\n')
    expect(readDirlist(place()).problems.map(({ severity, code, message }) => [severity, code, message.split(': ')[0]])).toEqual([
      ['warning', 'dirlist-line', `${at('dirlist')}:2`],
      ['warning', 'listed-twice', at('dirlist')],
    ])
  })

  it('says what is wrong with a file that is no text', async () => {
    writeFileSync(at('dirlist'), Buffer.from('caf\xe9=true\n', 'latin1'))
    expect(await errorOf(() => readDirlist(place()))).toMatchObject({ kind: 'configuration', code: 'dirlist-unreadable' })
  })

  it('takes a path into the stacks folder for the stack there', () => {
    stack('a')
    writeDirlist(`${at('stacks/a/')}=true\n`)
    expect(entriesOf(readDirlist(place()))).toEqual([{ name: 'a', path: at('stacks/a'), enabled: true, external: false, available: true }])
  })
})

describe('switching stacks', () => {
  it('changes those named and nothing else of the file', async () => {
    for (const name of ['a', 'b', 'my stack', 'new']) stack(name)
    writeDirlist('# mine\n\na=TRUE # keep\n  b = no\n-my stack\nodd line\n')
    const change = await switchStacks(place(), ['b', 'my stack', 'a', 'new'], true)
    expect(dirlistText()).toBe('# mine\n\na=TRUE # keep\n  b = true\n+my stack\nodd line\nnew=true\n')
    expect(change).toMatchObject({ switched: ['b', 'my stack', 'new'], added: ['new'] })
    expect(enabledNames()).toEqual(['a', 'b', 'my stack', 'new'])
  })

  it('does not touch the file where nothing changes', async () => {
    stack('a')
    writeDirlist('a=yes\n')
    const before = statSync(at('dirlist'))
    await switchStacks(place(), ['a'], true)
    await switchStacks({ ...place() }, ['a'], true)
    expect(statSync(at('dirlist')).ino).toBe(before.ino)
  })

  it('checks every name before it changes anything', async () => {
    stack('web')
    writeDirlist('web=false\n')
    const error = await errorOf(() => switchStacks(place(), ['web', 'wbe'], true))
    expect(error).toMatchObject({ code: 'unknown-stack', fix: "Did you mean 'web'?" })
    expect(exitCodeOf(error)).toBe(2)
    expect(dirlistText()).toBe('web=false\n')
  })

  it('refuses to enable two of one name or one folder', async () => {
    stack('web')
    const namesake = stack(at('other/web'))
    symlinkSync(at('stacks/web'), at('stacks/double'))
    writeDirlist(`web=true\n${namesake}=false\n`)
    expect(await errorOf(() => switchStacks(place(), [namesake], true))).toMatchObject({ code: 'stacks-not-distinct' })
    expect(await errorOf(() => switchStacks(place(), ['double'], true))).toMatchObject({ code: 'stacks-not-distinct' })
    expect(await errorOf(() => switchStacks(place(), ['web'], false))).toMatchObject({ code: 'ambiguous-stack' })
    await switchStacks(place(), [at('stacks/web')], false)
    await switchStacks(place(), [namesake], true)
    expect(dirlistText()).toBe(`web=false\n${namesake}=true\n`)
  })

  it('keeps a choice for a stack that is not there now, and says so', async () => {
    stack('web')
    writeDirlist('away=false\n')
    const change = await switchStacks(place(), ['away'], true)
    expect(change.problems).toMatchObject([{ severity: 'warning', code: 'stack-unavailable', stack: 'away' }])
    expect(dirlistText()).toBe('away=true\n')
  })

  it('lists nothing for what is switched off and was never listed', async () => {
    stack('web')
    await switchStacks(place(), ['web'], false)
    expect(existsSync(at('dirlist'))).toBe(false)
  })
})

describe('external stacks', () => {
  it('are listed switched off, once, and taken off by path or name', async () => {
    const external = stack(at('other/ext'))
    expect((await addExternalStack(place(), `${external}/`)).added).toEqual([external])
    expect((await addExternalStack(place(), external)).added).toEqual([])
    expect(dirlistText()).toBe(`${external}=false\n`)
    expect((await removeExternalStack(place(), 'ext')).removed).toEqual([external])
    expect(dirlistText()).toBe('')
  })

  it('must be there, hold a compose file, and be outside', async () => {
    stack('web')
    mkdirSync(at('other'))
    for (const path of [at('none'), at('other'), at('stacks/web')]) {
      expect((await errorOf(() => addExternalStack(place(), path))).kind).toBe('usage')
    }
    writeDirlist('web=true\n')
    expect(await errorOf(() => removeExternalStack(place(), at('stacks/web')))).toMatchObject({ code: 'not-external' })
    expect(await errorOf(() => removeExternalStack(place(), 'web'))).toMatchObject({ code: 'not-external' })
    expect(await errorOf(() => removeExternalStack(place(), 'wbe'))).toMatchObject({ code: 'unknown-stack' })
    expect(dirlistText()).toBe('web=true\n')
  })

  it('that are gone can be taken off', async () => {
    writeDirlist('EXT:/mnt/none/x\n')
    expect((await removeExternalStack(place(), '/mnt/none/x')).removed).toEqual(['/mnt/none/x'])
  })
})

describe('refreshing the dirlist', () => {
  it('lists new stacks switched off, by name', async () => {
    for (const name of ['c', 'a', 'b']) stack(name)
    writeDirlist('b=true')
    expect((await refreshDirlist(place(), { prune: false })).added).toEqual(['a', 'c'])
    expect(dirlistText()).toBe('b=true\na=false\nc=false\n')
  })

  it('keeps what is gone, until pruned', async () => {
    stack('web')
    mkdirSync(at('stacks/mountpoint'))
    symlinkSync(at('nowhere'), at('stacks/dangling'))
    writeDirlist('# head\nweb=true\ngone=true\nmountpoint=true\ndangling=true\n/mnt/unmounted/x=true\n')
    await refreshDirlist(place(), { prune: false })
    expect(dirlistText()).toContain('gone=true')
    const change = await refreshDirlist(place(), { prune: true })
    expect(change.removed).toEqual(['gone'])
    expect(dirlistText()).toBe('# head\nweb=true\nmountpoint=true\ndangling=true\n/mnt/unmounted/x=true\n')
  })

  it('prunes an external one only where the folder it was in holds something', async () => {
    stack('web')
    stack(at('disk/other'))
    writeDirlist(`web=true\n${at('disk/x')}=true\n`)
    expect((await refreshDirlist(place(), { prune: true })).removed).toEqual([at('disk/x')])
  })

  it('defect 10: erases no choice when the stacks folder is empty or unmounted, pruned or not', async () => {
    writeDirlist('web=true\n# note\ndb=yes\n')
    const untouched = dirlistText()
    const change = await refreshDirlist(place(), { prune: false })
    expect(change.problems).toMatchObject([{ severity: 'warning', code: 'stacks-folder-empty' }])
    expect(dirlistText()).toBe(untouched)
    expect(exitCodeOf(await errorOf(() => refreshDirlist(place(), { prune: true })))).toBe(7)
    mkdirSync(at('stacks/lost+found'))
    expect(exitCodeOf(await errorOf(() => refreshDirlist(place(), { prune: true })))).toBe(7)
    rmSync(at('stacks'), { recursive: true })
    for (const prune of [false, true]) expect(exitCodeOf(await errorOf(() => refreshDirlist(place(), { prune })))).toBe(2)
    expect(dirlistText()).toBe(untouched)
    mkdirSync(at('stacks'))
    for (const name of ['web', 'db']) stack(name)
    expect(enabledNames()).toEqual(['web', 'db'])
  })

  it('defect 26: leaves TRUE and yes as they are', async () => {
    for (const name of ['a', 'b', 'c']) stack(name)
    writeDirlist('a=TRUE\nb=yes\n')
    await refreshDirlist(place(), { prune: true })
    expect(dirlistText()).toBe('a=TRUE\nb=yes\nc=false\n')
    expect(enabledNames()).toEqual(['a', 'b'])
  })

  it('warns of a folder whose name cannot be listed', async () => {
    stack('#recycle')
    stack('web')
    const change = await refreshDirlist(place(), { prune: false })
    expect(change.added).toEqual(['web'])
    expect(change.problems).toMatchObject([{ code: 'stack-name' }])
  })
})

describe('the file of the dirlist', () => {
  it('keeps its mode, its owner, and its link', async () => {
    stack('web')
    mkdirSync(at('real'))
    writeFileSync(at('real/dirlist'), 'web=false\n')
    chmodSync(at('real/dirlist'), 0o664)
    if (process.getuid?.() === 0) chownSync(at('real/dirlist'), 1234, 5678)
    const { uid, gid } = statSync(at('real/dirlist'))
    symlinkSync('real/dirlist', at('dirlist'))
    await switchStacks(place(), ['web'], true)
    expect(lstatSync(at('dirlist')).isSymbolicLink()).toBe(true)
    expect(dirlistText()).toBe('web=true\n')
    expect(statSync(at('real/dirlist'))).toMatchObject({ mode: 0o100664, uid, gid })
  })

  it('is as it was where it cannot be written', async () => {
    stack('web')
    symlinkSync(at('away/dirlist'), at('dirlist'))
    expect(await errorOf(() => switchStacks(place(), ['web'], true))).toMatchObject({ kind: 'failed', code: 'dirlist-not-written' })
  })

  it('is changed by one at a time, whichever way they name it', async () => {
    symlinkSync(world.folder, at('alias'))
    writeDirlist('')
    const files = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? at('dirlist') : at('alias/dirlist')))
    await Promise.all(files.map((file, index) => editDirlist(file, (text) => ({ text: `${text}n${index}=true\n`, result: undefined }))))
    expect(dirlistText().trim().split('\n')).toHaveLength(20)
  })

  describe('with many processes at once', () => {
    let compiled = ''

    beforeAll(() => {
      compiled = compileWithPackages(mkdtempSync(join(tmpdir(), 'stackbk-dirlist-')), ['errors.ts', 'host', 'config', 'stacks'])
    }, 60_000)
    afterAll(() => {
      rmSync(compiled, { recursive: true, force: true })
    })

    const enableElsewhere = (name: string): ChildProcess =>
      spawn(
        process.execPath,
        [
          '--input-type=module',
          '--eval',
          `import { switchStacks } from ${JSON.stringify(join(compiled, 'stacks/dirlist-changes.js'))}
           await switchStacks(${JSON.stringify(place())}, [${JSON.stringify(name)}], true)`,
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      )

    it('loses nothing: 20 that each enable another stack', async () => {
      const names = Array.from({ length: 20 }, (_, index) => `stack ${index}`)
      for (const name of names) stack(name)
      writeDirlist('# head\n')
      const codes = await Promise.all(names.map(async (name) => ((await once(enableElsewhere(name), 'exit')) as [number | null])[0]))
      expect(codes).toEqual(names.map(() => 0))
      expect(enabledNames().toSorted()).toEqual(names.toSorted())
      expect(dirlistText().startsWith('# head\n')).toBe(true)
    }, 60_000)
  })
})

describe('the stacks that a command works on', () => {
  const configuration = (more = '') =>
    checkConfiguration({ file: at('config.ini'), exists: true, text: `[docker]\nSTACKS_DIR=${at('stacks')}\n${more}`, mode: 0o600, environment: {}, descriptors: [], needs: [] })

  it('are the enabled ones in the order of the dirlist, and what is not there is named', () => {
    for (const name of ['a', 'b', 'c']) stack(name)
    writeDirlist('c=true\naway=true\na=true\nb=false\n')
    const { stacks, unavailable } = selectStacks(configuration())
    expect(stacks.map(({ name }) => name)).toEqual(['c', 'a'])
    expect(unavailable).toMatchObject([{ name: 'away', reason: 'there is no such folder' }])
  })

  it('are those named, on or off, once', () => {
    for (const name of ['a', 'b', 'c']) stack(name)
    writeDirlist('c=true\n')
    expect(selectStacks(configuration(), ['b', 'c', 'b']).stacks.map(({ name }) => name)).toEqual(['b', 'c'])
  })

  it('are refused before anything is touched where a name is unknown or nothing is enabled', async () => {
    stack('web')
    const unknown = await errorOf(() => selectStacks(configuration(), ['web', 'nosuch']))
    expect([unknown.code, exitCodeOf(unknown)]).toEqual(['unknown-stack', 2])
    const nothing = await errorOf(() => selectStacks(configuration()))
    expect([nothing.code, exitCodeOf(nothing)]).toEqual(['nothing-enabled', 2])
  })

  it('are without one that is both on and off, and without the second of two that are one; the others stay', async () => {
    for (const name of ['web', 'other']) stack(name)
    symlinkSync(at('stacks/web'), at('stacks/link'))
    writeDirlist('web=true\nweb=false\n')
    expect(exitCodeOf(await errorOf(() => selectStacks(configuration())))).toBe(2)
    writeDirlist('web=true\nweb=false\nother=true\n')
    expect(selectStacks(configuration())).toMatchObject({ stacks: [{ name: 'other' }], unavailable: [{ name: 'web', problem: { code: 'listed-twice', severity: 'error' } }], problems: [] })
    expect(selectStacks(configuration(), ['other'])).toMatchObject({ stacks: [{ name: 'other' }], unavailable: [], problems: [{ code: 'listed-twice', severity: 'warning' }] })
    writeDirlist('web=true\nlink=true\nother=true\n')
    expect(selectStacks(configuration())).toMatchObject({ stacks: [{ name: 'web' }, { name: 'other' }], unavailable: [{ name: 'link', problem: { code: 'stacks-not-distinct' } }] })
    expect(selectStacks(configuration(), [], ({ name }) => name === 'link')).toMatchObject({ stacks: [{ name: 'link' }, { name: 'other' }], unavailable: [{ name: 'web' }] })
  })

  it('are without stacks that share a name, unless one of them was backed up under it', async () => {
    stack('web')
    const [one, two] = [stack(at('one/docker')), stack(at('two/docker'))]
    writeDirlist(`web=true\n${one}=true\n${two}=true\n`)
    const { stacks, unavailable } = selectStacks(configuration())
    expect(stacks.map(({ name }) => name)).toEqual(['web'])
    expect(unavailable.map(({ path, problem }) => [path, problem?.stack, problem?.fix])).toEqual([one, two].map((path) => [path, 'docker', `Give one of them another name: stackbk dirlist add ${path} --name ${path === one ? 'one' : 'two'}`]))
    expect(selectStacks(configuration(), ['web'])).toMatchObject({ stacks: [{ name: 'web' }], unavailable: [] })
    expect(await errorOf(() => selectStacks(configuration(), [two]))).toMatchObject({ code: 'stacks-not-distinct' })
    expect(selectStacks(configuration(), [], ({ entryPath }) => entryPath === two).stacks.map(({ entryPath }) => entryPath)).toEqual([at('stacks/web'), two])
    writeDirlist(`web=true\n${one} as one=true\n+EXT:${two}  as  my two # note\n`)
    expect(selectStacks(configuration())).toMatchObject({ stacks: [{ name: 'web' }, { name: 'one', entryPath: one, isExternal: true }, { name: 'my two', entryPath: two }], unavailable: [], problems: [] })
    expect(selectStacks(configuration(), ['my two']).stacks).toMatchObject([{ entryPath: two }])
  })

  it('come with a warning for a section about a stack that there is not', () => {
    stack('web')
    writeDirlist('web=true\n')
    expect(selectStacks(configuration('[stack:wbe]\nSTOP_MODE=none\n')).problems).toMatchObject([{ code: 'unknown-stack-section', fix: 'Did you mean [stack:web]?' }])
  })

  it('are still known by their choices when their folder comes back', () => {
    stack('web')
    writeDirlist('web=true\n')
    renameSync(at('stacks'), at('gone'))
    expect(selectStacks(configuration()).unavailable).toMatchObject([{ name: 'web' }])
    renameSync(at('gone'), at('stacks'))
    expect(selectStacks(configuration()).stacks).toMatchObject([{ name: 'web' }])
  })
})

describe('a stack with a name that the dirlist gives', () => {
  it('is listed under it, and renamed in its line, with nothing else of the line changed', async () => {
    stack('docker')
    const [one, two] = [stack(at('one/docker')), stack(at('two/docker'))]
    expect(await addExternalStack(place(), one, 'one')).toMatchObject({ added: [one], problems: [] })
    expect(await addExternalStack(place(), two)).toMatchObject({ added: [two], problems: [{ code: 'stack-name-taken', fix: `Give this one a name: stackbk dirlist add '${two}' --name 'two'` }] })
    writeDirlist(dirlistText().replace(`${two}=false`, `  -${two}   # mine`))
    expect(await addExternalStack(place(), two, 'two')).toMatchObject({ added: [], problems: [{ code: 'stack-renamed' }] })
    expect(dirlistText()).toBe(`${one} as one=false\n  -${two} as two   # mine\n`)
    await switchStacks(place(), ['one', 'two'], true)
    expect(dirlistText()).toBe(`${one} as one=true\n  +${two} as two   # mine\n`)
    expect((await removeExternalStack(place(), 'two')).removed).toEqual([two])
    expect(await addExternalStack(place(), one)).toMatchObject({ added: [], problems: [] })
    expect(dirlistText()).toBe(`${one} as one=true\n`)
  })

  it.each(['', ' a', 'a ', 'a/b', '..', 'a\nb', '\u001b[2J'])('is not called %j', async (name) => {
    const one = stack(at('one/docker'))
    expect(await errorOf(() => addExternalStack(place(), one, name))).toMatchObject({ code: 'stack-name' })
  })

  it('cannot take the name of another', async () => {
    stack('web')
    expect(await errorOf(() => addExternalStack(place(), stack(at('one/docker')), 'web'))).toMatchObject({ code: 'stack-name-taken' })
  })

  it('is not meant by the path of a folder that itself reads so', () => {
    const odd = stack(at('one/same as ever'))
    writeDirlist(`${odd}=true\n`)
    expect(entriesOf(readDirlist(place()))).toMatchObject([{ name: 'same as ever', path: odd, available: true }])
  })

  it('comes with its name from a prompt and from another list', async () => {
    const [one, two] = [stack(at('one/docker')), stack(at('two/docker'))]
    await applyChoices(place(), { add: [one], names: new Map([[one, 'one']]), on: [one], off: [] })
    await importDirlist(place(), `${one}=true\n${two} as two=true\n`, { force: false })
    expect(dirlistText()).toBe(`${one} as one=true\n${two} as two=true\n`)
  })
})

describe('choices of somebody who saw the list some time ago', () => {
  it('are made in the list as it is now: what others have changed since stays', async () => {
    for (const name of ['a', 'b', 'c']) stack(name)
    const external = stack(at('other/ext'))
    writeDirlist('# mine\na=true\nb=true\n')
    const change = await applyChoices(place(), { add: [external], on: [external, at('stacks/c')], off: [at('stacks/a')] })
    expect(change).toMatchObject({ added: [external, 'c'], switched: ['a', 'ext', 'c'], removed: [] })
    expect(dirlistText()).toBe(`# mine\na=false\nb=true\n${external}=true\nc=true\n`)
  })

  it('may exchange one stack for another of the same name', async () => {
    stack('twin')
    const external = stack(at('other/twin'))
    writeDirlist(`twin=true\n${external}=false\n`)
    await applyChoices(place(), { add: [], on: [external], off: [at('stacks/twin')] })
    expect(dirlistText()).toBe(`twin=false\n${external}=true\n`)
  })

  it('are made all or not at all', async () => {
    for (const name of ['a', 'twin']) stack(name)
    const external = stack(at('other/twin'))
    writeDirlist(`a=true\ntwin=true\n`)
    for (const choices of [{ add: [external], on: [external], off: [at('stacks/a')] }, { add: [at('nowhere')], on: [], off: [at('stacks/a')] }, { add: [], on: [at('stacks/gone')], off: [at('stacks/a')] }]) {
      expect(exitCodeOf(await errorOf(() => applyChoices(place(), choices)))).toBe(2)
      expect(dirlistText()).toBe('a=true\ntwin=true\n')
    }
  })

  it('switch off what is no longer listed by doing nothing', async () => {
    stack('a')
    writeDirlist('')
    expect(await applyChoices(place(), { add: [], on: [], off: [at('stacks/gone')] })).toMatchObject({ switched: [], added: [] })
    expect(dirlistText()).toBe('')
  })
})
