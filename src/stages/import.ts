import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

import type { AnyDescriptor } from '@stackbk/contract'

import { type Catalogue, catalogueOf, isNameOf } from '../config/catalogue.js'
import { type Environment, reasonOf } from '../config/config-file.js'
import { checkConfiguration, type Configuration, type ConfigurationTextRequest } from '../config/configuration.js'
import { convertConfiguration } from '../config/import-configuration.js'
import { type RcloneConfiguration, readRcloneConfiguration, useRcloneConfiguration } from '../config/import-rclone.js'
import { type IniFile, parseIni } from '../config/ini-file.js'
import { alreadyThere, putConfiguration } from '../config/new-configuration.js'
import { type Problem, StackbkError } from '../errors.js'
import { makeFolder } from '../host/make-folder.js'
import { importDirlist } from '../stacks/dirlist-import.js'
import { parseDirlist } from '../stacks/dirlist-text.js'
import { dirlistPlace } from './dirlist.js'
import { concluded, type Outcome, type ResultHeader, type RunFacts } from './result.js'

export interface ImportRequest {
  /** Never changed. */
  readonly source: string
  /** The configuration to write, or beside which the dirlist is. */
  readonly output: string
  readonly force: boolean
  readonly environment: Environment
  readonly descriptors: readonly AnyDescriptor[]
}

export type ImportResult = ResultHeader & {
  readonly source: string
  /** What the source was taken for. */
  readonly kind: 'configuration' | 'dirlist' | 'rclone'
  /** The file that was written. */
  readonly target: string
  /** Where the configuration that was there is kept; `null` where there was none. */
  readonly previous: string | null
  /** Keys or stacks that were taken over. */
  readonly taken: readonly string[]
  /** Lines of the source, counting from 1, that say nothing to stackbk and now stand in the target as comments. */
  readonly putAside: readonly number[]
  /** Names of rclone's remotes. */
  readonly remotes: readonly string[]
  readonly nextSteps: readonly string[]
}

type Imported = Omit<ImportResult, keyof ResultHeader | 'source'> & { readonly problems: readonly Problem[] }

const nothing = { previous: null, taken: [], putAside: [], remotes: [], nextSteps: [] } as const

/**
 * Takes over what another tool, or an older form, was set up with: a configuration of either form, an rclone configuration,
 * a dirlist. Throws (exit 2) before anything is written for a file that is none of these, and for a target that is there.
 */
export async function importSetup(run: RunFacts, request: ImportRequest): Promise<Outcome<ImportResult>> {
  const source = resolve(request.source)
  const text = readSource(source)
  const { problems, ...imported } = await importText({ ...request, source, output: resolve(request.output) }, text)
  const isWrong = problems.some(({ severity }) => severity === 'error')
  return concluded(run, { source, ...imported }, { status: isWrong ? 'partial' : 'ok', problems })
}

async function importText(request: ImportRequest, text: string): Promise<Imported> {
  const catalogue = catalogueOf(request.descriptors)
  const rclone = readRcloneConfiguration(text)
  if (rclone) return importRclone(request, rclone)
  if (isConfiguration(parseIni(text), catalogue)) return importConfiguration(request, text, catalogue)
  if (parseDirlist(text).lines.length > 0) return importChoices(request, text)
  throw new StackbkError({
    kind: 'usage',
    code: 'import-unknown',
    message: `${request.source} is not a file that can be imported`,
    detail: 'it holds no configuration key, no rclone remote and no dirlist line',
    fix: 'Give a config.ini, a backup.conf, an rclone.conf or a dirlist.',
  })
}

function importConfiguration(request: ImportRequest, text: string, catalogue: Catalogue): Imported {
  const { source, output } = request
  if (isSameFile(source, output)) {
    throw new StackbkError({
      kind: 'usage',
      code: 'import-onto-itself',
      message: `${source} is where the new configuration would be written, and an imported file is never changed`,
      fix: 'Name another file with --output, and move it there after checking it.',
    })
  }
  if (existsSync(output) && !request.force) throw alreadyThere(output)
  const converted = convertConfiguration({ text, folder: dirname(source), catalogue })
  const problems = problemsOf({ ...request, text: converted.text })
  const previous = putConfiguration(output, converted.text)
  const dirlist = join(dirname(source), 'dirlist')
  const hasDirlist = existsSync(dirlist) && dirname(source) !== dirname(output)
  return {
    ...nothing,
    kind: 'configuration',
    target: output,
    previous,
    taken: converted.taken,
    putAside: converted.putAside,
    problems,
    nextSteps: [
      ...(hasDirlist ? [`Import the choice of stacks too: stackbk config import ${dirlist}`] : []),
      `Check it: stackbk config check --config ${output}`,
    ],
  }
}

function importRclone(request: ImportRequest, rclone: RcloneConfiguration): Imported {
  const { source, output, force } = request
  const before = existsSync(output) ? readSource(output) : ''
  const { text, taken, problems } = useRcloneConfiguration({ text: before, rcloneFile: source, rclone, force })
  if (text !== before) putConfiguration(output, text, { isEdit: true })
  return {
    ...nothing,
    kind: 'rclone',
    target: output,
    taken,
    remotes: rclone.remotes,
    problems,
    nextSteps: [
      ...(rclone.isEncrypted ? [`${source} is encrypted: rclone needs its password at night too (RCLONE_PASSWORD_COMMAND)`] : []),
      ...(rclone.remotes.length === 1 ? [] : [`Choose the remote: set RCLONE_REMOTE in [cloud_sync] of ${output}`]),
      `Try it: stackbk sync --test --config ${output}`,
    ],
  }
}

async function importChoices(request: ImportRequest, text: string): Promise<Imported> {
  const configuration = configurationAt(request)
  const place = dirlistPlace(configuration)
  if (isSameFile(request.source, place.file)) {
    throw new StackbkError({ kind: 'usage', code: 'import-onto-itself', message: `${place.file} is the dirlist already`, fix: 'There is nothing to do: stackbk reads every notation.' })
  }
  // The first thing that is ever set up may be this one. Any other folder may be a disk that is not mounted.
  if (dirname(place.file) === dirname(request.output)) makeFolder(dirname(place.file))
  const { added, switched, problems } = await importDirlist(place, text, { force: request.force })
  return { ...nothing, kind: 'dirlist', target: place.file, taken: [...added, ...switched], problems, nextSteps: ['Look at it: stackbk dirlist list'] }
}

/** Of the target configuration, to know where the dirlist belongs; defaults where there is none yet. */
function configurationAt({ output, environment, descriptors }: ImportRequest): Configuration {
  const exists = existsSync(output)
  return checkConfiguration({ file: output, exists, text: exists ? readSource(output) : '', mode: 0o600, environment, descriptors, needs: [] })
}

function problemsOf({ output, environment, descriptors, text }: ImportRequest & Pick<ConfigurationTextRequest, 'text'>): readonly Problem[] {
  try {
    return checkConfiguration({ file: output, exists: true, text, mode: 0o600, environment, descriptors, needs: [] }).problems
  } catch (error) {
    if (error instanceof StackbkError) return error.problems
    throw error
  }
}

/** At least one key that we know: a dirlist has lines of the same look. */
function isConfiguration(ini: IniFile, catalogue: Catalogue): boolean {
  if (ini.sections.some(({ name }) => catalogue.isKnownSection(name))) return true
  const declarations = catalogue.plainSections.flatMap((section) => catalogue.declarationsOf(section))
  return ini.format === 'flat' && ini.entries.some((entry) => declarations.some((declaration) => isNameOf(declaration, entry.key, 'flat')))
}

function readSource(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file))
  } catch (error) {
    throw new StackbkError({ kind: 'usage', code: 'import-unreadable', message: `${basename(file)} cannot be read`, detail: reasonOf(error), fix: `Check ${file}: it must be UTF-8 text that this user may read.` })
  }
}

function isSameFile(one: string, other: string): boolean {
  return existsSync(one) && existsSync(other) && realpathSync(one) === realpathSync(other)
}
