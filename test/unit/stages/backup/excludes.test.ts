import { describe, expect, it } from 'vitest'

import { excludeFilterOf, excludesOf } from '../../../../src/stages/backup/excludes.js'
import { globPattern } from '../../../../src/stages/backup/glob-pattern.js'

/** An engine whose patterns are absolute paths with wildcards, or names, which act below the roots where it is given any. */
const engine = {
  excludeFilter: (patterns: readonly string[], roots?: readonly string[]) => (path: string) =>
    patterns.some((pattern) => {
      if (pattern.startsWith('/')) return globPattern(pattern).test(path) || globPattern(`${pattern}/*`).test(path)
      const root = roots?.find((one) => path === one || path.startsWith(`${one}/`)) ?? ''
      return path.slice(root.length).split('/').includes(pattern)
    }),
}
const stack = { name: 'web', directory: '/backup/stacks/web' }
const volume = { path: '/var/lib/docker/volumes/web_v/_data', volume: 'web_v' }
const media = { path: '/mnt/media', volume: '', links: ['/backup/stacks/web/media'] }
const sources = [{ path: stack.directory, volume: '' }, volume, media]
const of = (...patterns: string[]): ReturnType<typeof excludesOf> => excludesOf({ stack, sources, paths: sources.map(({ path }) => path), patterns }, engine)

describe('EXCLUDE', () => {
  it.each(['volumes', 'docker', 'lib', 'backup', 'stacks', 'web', '_data', 'cache'])('%s leaves out neither the stack nor a volume that lies below a folder of that name', (pattern) => {
    expect(of(pattern)).toEqual({ excludes: [pattern], problems: [] })
  })

  it('leaves out a volume by its name', () => {
    expect(of('cache', 'web_v')).toEqual({ excludes: ['cache', 'web_v', volume.path], problems: [] })
  })

  it.each([[volume.path], ['/var/lib/docker/volumes/web_v/'], ['/mnt/media']])('leaves out a volume or another place by its path %s', (pattern) => {
    expect(of(pattern)).toEqual({ excludes: [pattern], problems: [] })
  })

  it('leaves out what a link in the folder leads to where it names both', () => {
    expect(of('media')).toEqual({ excludes: ['media', media.path], problems: [] })
  })

  it.each([
    ['/var', volume.path],
    ['/var/lib/docker/volumes', volume.path],
    ['/var/lib/*/_data', volume.path],
    ['/mnt', media.path],
    [stack.directory, stack.directory],
    ['/backup', stack.directory],
  ])('is an error where %s leaves out all of %s', (pattern, path) => {
    const { problems } = of('cache', pattern)
    expect(problems).toMatchObject([{ severity: 'error', code: 'root-excluded', message: expect.stringContaining(path) as string, stack: 'web' }])
    expect(problems[0]!.fix.includes(`full path: ${path}`)).toBe(path !== stack.directory)
  })

  it('is read without the engine as far as it is certain', () => {
    const isExcluded = excludeFilterOf({}, ['*.log', 'backup', '/srv/a', '!x', 'a/b'], [stack.directory, volume.path])
    expect(['data/a.log', 'backup/x', 'a/b', 'data'].map((path) => isExcluded(`${stack.directory}/${path}`))).toEqual([true, true, false, false])
    expect(['/srv/a/b', stack.directory, volume.path, '/other/a.log'].map(isExcluded)).toEqual([true, false, false, false])
  })
})
