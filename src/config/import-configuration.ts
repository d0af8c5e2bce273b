import { resolve } from 'node:path'

import type { SettingDeclaration } from '@stackbk/contract'

import { type Catalogue, entriesFor, isNameOf } from './catalogue.js'
import { typeOf } from './file-checks.js'
import { type IniEntry, type IniFile, parseIni, writeValue } from './ini-file.js'

/** Another configuration in our words. */
export interface ConvertedConfiguration {
  readonly text: string
  /** Keys that were taken over, as `section/KEY`. */
  readonly taken: readonly string[]
  /** Lines that say nothing to stackbk, counting from 1: they stand in the text as comments. */
  readonly putAside: readonly number[]
}

interface Part {
  /** `null`: what belongs to no section. */
  readonly section: string | null
  readonly lines: string[]
}

/**
 * Turns a configuration of either form into one with sections. Nothing is lost: comments come along with the line below
 * them, what is not understood becomes a comment, relative paths are written out from `folder`, where the old file is.
 */
export function convertConfiguration(request: { readonly text: string; readonly folder: string; readonly catalogue: Catalogue }): ConvertedConfiguration {
  const { text, folder, catalogue } = request
  const ini = parseIni(text)
  const parts: Part[] = [{ section: null, lines: [] }]
  const taken: string[] = []
  const putAside: number[] = []
  const entryAt = new Map(ini.entries.map((entry) => [entry.line, entry]))
  const headingAt = new Map(ini.sections.map(({ line, name }) => [line, name]))
  let comments: string[] = []
  let current = partOf(parts, null)

  for (const [index, raw] of text.replace(/^\uFEFF/, '').split(/\r?\n/).entries()) {
    const line = index + 1
    const heading = headingAt.get(line)
    const entry = entryAt.get(line)
    if (heading !== undefined) {
      current = partOf(parts, catalogue.isKnownSection(heading) ? heading : null)
      current.lines.push(...comments, ...(current.section === null ? [`# [${heading}]`] : []))
      comments = []
    } else if (entry !== undefined) {
      const home = homeOf(ini, catalogue, entry)
      const target = home === null ? current : partOf(parts, home.section)
      const isLast = home !== null && entriesFor(ini, home.section, home.declaration).at(-1) === entry
      if (home !== null && isLast) {
        taken.push(`${home.section}/${home.declaration.key}`)
        target.lines.push(...comments, ...(entry.comment === '' ? [] : [`# ${entry.comment.replace(/^[#;][ \t]*/, '')}`]), `${home.declaration.key}=${writeValue(absolute(home.declaration, entry.value, folder))}`)
      } else {
        putAside.push(line)
        const reason = home === null ? 'not known to stackbk' : entry.value === '' ? 'empty' : 'given again below'
        target.lines.push(...comments, `# ${reason}: ${raw.trim()}`)
      }
      comments = []
    } else if (ini.faults.some((fault) => fault.line === line)) {
      putAside.push(line)
      current.lines.push(...comments, `# not understood: ${raw.trim()}`)
      comments = []
    } else {
      comments.push(raw.trimEnd())
    }
  }
  partOf(parts, null).lines.push(...comments)
  return { text: assemble(parts), taken, putAside }
}

/** Which key a line gives, and in which section that key belongs. */
function homeOf(ini: IniFile, catalogue: Catalogue, entry: IniEntry): { section: string; declaration: SettingDeclaration } | null {
  for (const section of ini.format === 'flat' ? catalogue.plainSections : [entry.section]) {
    const declaration = catalogue.declarationsOf(section, typeOf(ini, section)).find((candidate) => isNameOf(candidate, entry.key, ini.format))
    if (declaration) return { section, declaration }
  }
  return null
}

function absolute(declaration: SettingDeclaration, value: string, folder: string): string {
  const isAsItIs = declaration.type !== 'path' || /^(?:[/~]|credential:)/.test(value) || value.includes('$')
  return isAsItIs ? value : resolve(folder, value)
}

function partOf(parts: Part[], section: string | null): Part {
  const found = parts.find((part) => part.section === section)
  if (found) return found
  const part: Part = { section, lines: [] }
  parts.push(part)
  return part
}

/** What belongs to no section stands at the end, under none of them. */
function assemble(parts: readonly Part[]): string {
  const sections = parts.filter(({ section }) => section !== null).map(({ section, lines }) => [`[${section ?? ''}]`, ...withoutOuterBlanks(lines)].join('\n'))
  const rest = withoutOuterBlanks(parts.find(({ section }) => section === null)?.lines ?? []).join('\n')
  return `${[...sections, ...(rest === '' ? [] : [rest])].join('\n\n')}\n`
}

function withoutOuterBlanks(lines: readonly string[]): readonly string[] {
  const first = lines.findIndex((line) => line !== '')
  const last = lines.findLastIndex((line) => line !== '')
  return first === -1 ? [] : lines.slice(first, last + 1)
}
