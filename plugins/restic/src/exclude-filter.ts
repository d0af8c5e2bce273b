import { posix } from 'node:path'

import { literalPattern, withAnyByte } from './patterns.js'

/** A pattern of restic's, split into the parts of a path. */
interface Pattern {
  readonly parts: readonly (RegExp | '**')[]
  /** The same parts, as they were written. */
  readonly texts: readonly string[]
  /** It begins at the root: the whole path is compared, not any run of its parts. */
  readonly isAbsolute: boolean
  /** `!PATTERN` takes back what an earlier pattern has excluded. */
  readonly isNegated: boolean
}

/**
 * Returns what restic's `--exclude` does: whether a path, or a folder above it, is left out of a snapshot. A pattern matches any run
 * of a path's parts, so that it matches what is below a match too; `**` stands for any number of parts. A pattern that is not
 * valid matches nothing: restic makes no snapshot with it.
 *
 * @param roots the paths of the snapshot, below which alone relative patterns act ({@link patternsBelow}); absent: anywhere in a path
 */
export function excludeFilter(patterns: readonly string[], roots: readonly string[] = []): (path: string) => boolean {
  const parsed = patternsBelow(patterns, roots).map((pattern) => pattern === '' ? null : parsePattern(pattern)).filter((pattern) => pattern !== null)
  if (parsed.length === 0) return () => false
  const isMatched = (parts: readonly string[]): boolean => {
    let isExcluded = false
    for (const pattern of parsed) {
      if (pattern.isNegated === isExcluded && matches(pattern, parts)) isExcluded = !pattern.isNegated
    }
    return isExcluded
  }
  const takesBack = parsed.some(({ isNegated }) => isNegated)
  return (path) => {
    const parts = partsOf(path)
    // restic does not look into a folder that is left out: nothing in it is taken back.
    return takesBack ? parts.some((_, index) => isMatched(parts.slice(0, index + 1))) : isMatched(parts)
  }
}

/**
 * Returns patterns that act below the roots alone, for restic, which compares a relative one with the folders above a root too:
 * `volumes` would leave out all that lies in `/var/lib/docker/volumes`. Absolute patterns mean what they name, and stay. So does
 * a relative one that cannot match a root, nor a folder above one: it can only match below.
 */
export function patternsBelow(patterns: readonly string[], roots: readonly string[]): readonly string[] {
  return patterns.flatMap((text) => {
    const pattern = text === '' ? null : parsePattern(text)
    if (pattern === null || pattern.isAbsolute || !roots.some((root) => reachesAbove(pattern, partsOf(root)))) return [text]
    return [...new Set(roots)].flatMap((root) => anchored(pattern, root))
  })
}

/** Returns whether the pattern, or its part before a `**`, which may stand for folders on both sides of the root, matches above or at the root. */
function reachesAbove(pattern: Pattern, root: readonly string[]): boolean {
  const wildcard = pattern.parts.indexOf('**', 1)
  return matches(wildcard < 0 ? pattern : { ...pattern, parts: pattern.parts.slice(0, wildcard) }, root)
}

function anchored({ parts, texts, isNegated }: Pattern, root: string): readonly string[] {
  const below = withAnyByte(literalPattern(root)).replaceAll(/[\n\r]/g, '?').replace(/\/$/, '')
  const within = parts.every((part) => part === '**') ? '*' : `**/${texts.join('/')}`
  // One that names the last folders of the root and goes on below it, such as `web/cache` for the stack web.
  const folders = partsOf(root)
  const isNamedUpTo = (end: number): boolean => end <= folders.length && parts.slice(0, end).every((part, at) => part !== '**' && isLiteral(texts[at]!) && part.test(folders[folders.length - end + at]!))
  const beginnings = parts.map((_, at) => at).filter((at) => at > 0 && isNamedUpTo(at) && parts[at] !== '**')
  return [within, ...beginnings.map((at) => texts.slice(at).join('/'))].map((end) => `${isNegated ? '!' : ''}${below}/${end}`)
}

function isLiteral(text: string): boolean {
  return !/[*?[]/.test(text.replaceAll(/\\./g, ''))
}

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '')
}

function parsePattern(text: string): Pattern | null {
  const isNegated = text.startsWith('!')
  const cleaned = posix.normalize(isNegated ? text.slice(1) : text).replace(/(.)\/+$/, '$1')
  const parts = cleaned.split('/').filter((part) => part !== '')
  const compiled = parts.map((part) => (part === '**' ? part : partPattern(part)))
  return compiled.some((part) => part === null) ? null : { parts: compiled as (RegExp | '**')[], texts: parts, isAbsolute: cleaned.startsWith('/'), isNegated }
}

function matches({ parts, isAbsolute }: Pattern, path: readonly string[]): boolean {
  if (parts.length === 0) return isAbsolute
  const begins = isAbsolute ? [0] : path.map((_, index) => index)
  return begins.some((begin) => matchesFrom(parts, path, begin))
}

/** Whether all parts of the pattern match from here on; the path may go on below. */
function matchesFrom(parts: readonly (RegExp | '**')[], path: readonly string[], begin: number): boolean {
  const [first, ...rest] = parts
  if (first === undefined) return true
  if (first === '**') {
    for (let next = begin; next <= path.length; next++) if (matchesFrom(rest, path, next)) return true
    return false
  }
  const part = path[begin]
  return part !== undefined && first.test(part) && matchesFrom(rest, path, begin + 1)
}

/** One part with `*`, `?`, `[abc]`, `[^a-z]` and `\` as Go's filepath.Match reads them; `null` where it is not valid. */
function partPattern(part: string): RegExp | null {
  let source = ''
  const characters = [...part]
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!
    if (character === '*') source += '.*'
    else if (character === '?') source += '.'
    else if (character === '\\') {
      const next = characters[++at]
      if (next === undefined) return null
      source += literal(next)
    } else if (character === '[') {
      const found = characterClass(characters, at + 1)
      if (found === null) return null
      source += found.source
      at = found.end
    } else source += literal(character)
  }
  try {
    return new RegExp(`^${source}$`, 'su')
  } catch {
    return null
  }
}

/** From behind the opening bracket; `end` is the place of the closing one. */
function characterClass(characters: readonly string[], from: number): { readonly source: string; readonly end: number } | null {
  let at = from
  const isNegated = characters[at] === '^'
  if (isNegated) at++
  let source = ''
  for (let isFirst = true; at < characters.length; isFirst = false) {
    if (characters[at] === ']' && !isFirst) return { source: `[${isNegated ? '^' : ''}${source}]`, end: at }
    const low = classCharacter(characters, at)
    if (low === null) return null
    at = low.next
    if (characters[at] !== '-') {
      source += inClass(low.character)
      continue
    }
    const high = classCharacter(characters, at + 1)
    if (high === null) return null
    at = high.next
    source += `${inClass(low.character)}-${inClass(high.character)}`
  }
  return null
}

function classCharacter(characters: readonly string[], at: number): { readonly character: string; readonly next: number } | null {
  const character = characters[at]
  if (character === undefined || character === '-' || character === ']') return null
  if (character !== '\\') return { character, next: at + 1 }
  const escaped = characters[at + 1]
  return escaped === undefined ? null : { character: escaped, next: at + 2 }
}

function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|]/.test(character) ? `\\${character}` : character
}

function inClass(character: string): string {
  return /[\\^\]-]/.test(character) ? `\\${character}` : character
}
