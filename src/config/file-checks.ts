import type { SettingDeclaration } from '@stackbk/contract'

import type { Problem } from '../errors.js'
import { type Catalogue, entriesFor, isNameOf, isShellVariable } from './catalogue.js'
import type { IniEntry, IniFile } from './ini-file.js'
import { nearestName } from './nearest-name.js'
import { type ReadingPlace, readSetting } from './setting-value.js'

/** A problem with the line it stands in; `line` 0 for the file as a whole. */
export interface FileProblem extends Problem {
  readonly line: number
}

interface CheckRequest {
  readonly file: string
  readonly ini: IniFile
  readonly catalogue: Catalogue
  readonly place: ReadingPlace
}

/** All that is wrong or doubtful in the file's own lines. */
export function checkLines(request: CheckRequest): FileProblem[] {
  const { file, ini } = request
  return [
    ...ini.faults.map((fault) => problemAt(file, { severity: 'error', ...fault })),
    ...(ini.format === 'sections' ? checkSections(request) : checkFlat(request)),
  ]
}

/** `FILE:LINE: message`, so that an editor or a terminal can jump there. */
export function problemAt(file: string, problem: Omit<FileProblem, 'stack'>): FileProblem {
  const place = problem.line === 0 ? file : `${file}:${problem.line}`
  return { severity: problem.severity, code: problem.code, message: `${place}: ${problem.message}`, fix: problem.fix, line: problem.line }
}

/** What a notification's section says that it is; it decides which keys that section takes. */
export function typeOf(ini: IniFile, section: string): string {
  // Asked of every line: looking for it in each section would take time by the square.
  if (!section.startsWith('notify:')) return ''
  return ini.bySection.get(section)?.findLast((entry) => entry.key === 'TYPE')?.value ?? ''
}

function checkSections(request: CheckRequest): FileProblem[] {
  const { file, ini, catalogue } = request
  const problems: FileProblem[] = []
  for (const section of new Set(ini.sections.map(({ name }) => name))) {
    if (catalogue.isKnownSection(section)) {
      problems.push(...checkKeys(request, section, catalogue.declarationsOf(section, typeOf(ini, section))))
    } else {
      problems.push(unknownSection(request, section))
    }
  }
  const early = ini.bySection.get('') ?? []
  return [
    ...problems,
    ...early.map((entry) =>
      problemAt(file, {
        severity: 'error',
        code: 'no-section',
        line: entry.line,
        message: `${entry.key} stands before the first section`,
        fix: 'Move it below the section it belongs to.',
      }),
    ),
  ]
}

/** `plugin:ID` sections of plugins that are not installed are among the unknown ones. */
function unknownSection({ file, ini, catalogue }: CheckRequest, section: string): FileProblem {
  const line = ini.sections.find(({ name }) => name === section)?.line ?? 0
  if (section.startsWith('plugin:')) return unknownPlugin({ file, section, line, catalogue })
  const nearest = nearestName(section, catalogue.plainSections) ?? nearestName(section.split(':', 1)[0] ?? '', ['stack', 'notify', 'plugin'])
  const suggestion = nearest !== null && ['stack', 'notify', 'plugin'].includes(nearest) ? `${nearest}:NAME` : nearest
  return problemAt(file, {
    severity: 'warning',
    code: 'unknown-section',
    line,
    message: `there is no section [${section}]; nothing in it is read`,
    fix: suggestion === null ? 'Check its name.' : `Did you mean [${suggestion}]?`,
  })
}

function unknownPlugin({ file, section, line, catalogue }: { file: string; section: string; line: number; catalogue: Catalogue }): FileProblem {
  const idOf = (name: string): string => name.slice('plugin:'.length)
  const id = idOf(section)
  const nearest = nearestName(id, catalogue.pluginSections.map(idOf))
  const elsewhere = catalogue.notifierIds.includes(id) ? `The keys of ${id} belong in a section [notify:NAME] with TYPE=${id}.` : 'Check its name, and with "stackbk plugins" whether the plugin is installed for this user.'
  const fix = nearest === null ? elsewhere : `Did you mean [plugin:${nearest}]?`
  return problemAt(file, { severity: 'warning', code: 'unknown-section', line, message: `no installed plugin has keys in [${section}]; nothing in it is read`, fix })
}

function checkKeys(request: CheckRequest, section: string, declarations: readonly SettingDeclaration[]): FileProblem[] {
  const { file, ini, catalogue } = request
  const unknown = (ini.bySection.get(section) ?? [])
    .filter((entry) => !declarations.some((declaration) => isNameOf(declaration, entry.key, ini.format)))
    .filter(() => catalogue.isClosed(section))
    .map((entry) => unknownKey(file, entry, section, declarations, catalogue))
  return [...unknown, ...checkValues(request, section, declarations)]
}

function checkFlat(request: CheckRequest): FileProblem[] {
  const { file, ini, catalogue } = request
  const declarations = catalogue.plainSections.flatMap((section) => catalogue.declarationsOf(section))
  const stray = ini.entries
    .filter((entry) => !declarations.some((declaration) => isNameOf(declaration, entry.key, ini.format)))
    .filter((entry) => catalogue.isComplete || isShellVariable(entry.key))
    .map((entry) => (isShellVariable(entry.key) ? shellVariable(file, entry) : unknownKey(file, entry, '', declarations, catalogue)))
  const hint = problemAt(file, {
    severity: 'warning',
    code: 'legacy-format',
    line: 0,
    message: 'this is the old format without sections',
    fix: `Convert it with: stackbk config import ${file}`,
  })
  return [
    ...(ini.entries.length > 0 ? [hint] : []),
    ...stray,
    ...catalogue.plainSections.flatMap((section) => checkValues(request, section, catalogue.declarationsOf(section))),
  ]
}

function unknownKey(file: string, entry: IniEntry, section: string, declarations: readonly SettingDeclaration[], catalogue: Catalogue): FileProblem {
  const elsewhere = sectionWith(entry.key, section, catalogue)
  const nearest = nearestName(entry.key, declarations.flatMap((declaration) => [declaration.key, ...(declaration.aliases ?? [])]))
  const suggestion = nearest === null ? 'Check its name, or remove it.' : `Did you mean ${nearest}?`
  return problemAt(file, {
    severity: 'warning',
    code: 'unknown-key',
    line: entry.line,
    message: `there is no key ${entry.key}${section === '' ? '' : ` in [${section}]`}; it is not read`,
    fix: elsewhere !== null && section !== '' ? `It belongs in [${elsewhere}].` : suggestion,
  })
}

/** Returns the section that has the key, as it is written; `null` if no other one has it. */
function sectionWith(key: string, section: string, catalogue: Catalogue): string | null {
  const families = [...catalogue.plainSections, 'stack', 'notify', ...catalogue.pluginSections].filter((family) => family !== (section.startsWith('plugin:') ? section : section.split(':', 1)[0]))
  const found = families.find((family) => catalogue.declarationsOf(family).some((declaration) => isNameOf(declaration, key, 'sections')))
  return found === undefined ? null : ['stack', 'notify'].includes(found) ? `${found}:NAME` : found
}

function shellVariable(file: string, entry: IniEntry): FileProblem {
  return problemAt(file, {
    severity: 'warning',
    code: 'shell-variable',
    line: entry.line,
    message: `${entry.key} is the shell's own name here; it is not read`,
    fix: entry.key === 'PATH' ? 'For the path on the remote write RCLONE_PATH.' : 'Remove it.',
  })
}

function checkValues(request: CheckRequest, section: string, declarations: readonly SettingDeclaration[]): FileProblem[] {
  const { file, ini } = request
  const problems: FileProblem[] = []
  const claimed = new Set<IniEntry>()
  for (const declaration of declarations) {
    const entries = entriesFor(ini, section, declaration).filter((entry) => !claimed.has(entry))
    const last = entries.at(-1)
    if (last === undefined) continue
    for (const entry of entries) claimed.add(entry)
    if (entries.length > 1) problems.push(givenTwice(file, ini.format, declaration, entries))
    const reading = readSetting(declaration, last.value, request.place)
    if (reading.status === 'bad') {
      const fix = reading.code === 'placeholder' ? 'Put the real one in its place.' : ''
      problems.push(problemAt(file, { severity: 'error', code: reading.code, line: last.line, message: `${last.key} ${reading.reason}`, fix }))
    }
    if (ini.format === 'flat' && declaration.type === 'string' && declaration.secret !== true && /\$\{?[A-Za-z_]/.test(last.value)) {
      problems.push(
        problemAt(file, {
          severity: 'warning',
          code: 'not-expanded',
          line: last.line,
          message: `${last.key} holds what a shell would replace as a variable; here it is used literally`,
          fix: 'Write the value out.',
        }),
      )
    }
    if (declaration.secret === true && last.comment !== '' && !last.isQuoted) {
      problems.push(
        problemAt(file, {
          severity: 'warning',
          code: 'secret-cut',
          line: last.line,
          message: `${last.key} ends before a space followed by # or ;`,
          fix: 'Quote the value if the rest belongs to it.',
        }),
      )
    }
  }
  return [...problems, ...onlyOneCounts(file, ini, section, declarations)]
}

/** Two different values in a file with sections are an error: which one was meant cannot be known. In a shell the last one counts. */
function givenTwice(file: string, format: IniFile['format'], declaration: SettingDeclaration, entries: readonly IniEntry[]): FileProblem {
  const isSame = new Set(entries.map((entry) => entry.value)).size === 1
  const places = entries.map((entry) => `${entry.key} in line ${entry.line}`).join(', ')
  const isError = !isSame && format === 'sections'
  return problemAt(file, {
    severity: isError ? 'error' : 'warning',
    code: 'given-twice',
    line: entries.at(-1)?.line ?? 0,
    message: `${declaration.key} is given more than once${isSame ? '' : ', with different values'} (${places})${isError ? '' : '; the last one counts'}`,
    fix: 'Keep one of them.',
  })
}

function onlyOneCounts(file: string, ini: IniFile, section: string, declarations: readonly SettingDeclaration[]): FileProblem[] {
  return [...new Set(declarations.map((declaration) => declaration.oneOf))].flatMap((name) => {
    if (name === undefined) return []
    const given = declarations.filter((declaration) => declaration.oneOf === name && entriesFor(ini, section, declaration).length > 0)
    const [first, ...others] = given
    if (first === undefined || others.length === 0) return []
    return [
      problemAt(file, {
        severity: 'warning',
        code: 'only-one-counts',
        line: entriesFor(ini, section, others[0] ?? first).at(-1)?.line ?? 0,
        message: `only one of ${given.map((declaration) => declaration.key).join(', ')} is used: ${first.key}`,
        fix: 'Remove the others.',
      }),
    ]
  })
}
