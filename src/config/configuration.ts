import { hostname } from 'node:os'
import { dirname } from 'node:path'

import type { AnyDescriptor, RetentionPolicy, SettingValue, SettingValues, StopMode, VerificationDepth } from '@stackbk/contract'

import { type Problem, StackbkError } from '../errors.js'
import { catalogueOf } from './catalogue.js'
import { type Environment, findConfigurationFile, homeFolder, readConfigurationFile } from './config-file.js'
import { crossChecks } from './cross-checks.js'
import { checkLines, type FileProblem, typeOf } from './file-checks.js'
import { type IniFormat, parseIni } from './ini-file.js'
import { settingNamesOf, type SettingNames } from './setting-names.js'
import { checkNeeds, idOf, type Need } from './needs.js'
import { checkNotifications } from './notification-checks.js'
import { type Resolved, resolveSetting, type Source } from './resolution.js'
import { checkPermissions } from './secrecy.js'

export type { Environment } from './config-file.js'
export type { Need } from './needs.js'

/** `auto`: `down` where that gives back the very containers that ran, else `stop`. */
export type StopModeChoice = 'auto' | StopMode

/** `auto`: where it shortens the downtime. */
export type WarmPass = 'auto' | boolean

/** Checked settings. All paths are absolute, all times in milliseconds unless the name says otherwise; `null` is no limit. */
export interface Configuration {
  /** Absolute. Where `exists` is false: where it would be. */
  readonly file: string
  readonly exists: boolean
  readonly format: IniFormat
  /** Warnings: errors are thrown. */
  readonly problems: readonly Problem[]
  readonly docker: {
    readonly stacksDirectory: string
    readonly graceSeconds: number
    readonly stopMode: StopModeChoice
    readonly healthTimeoutMs: number
    readonly warmPass: WarmPass
    /** A freezer's id, `auto` or `none`. */
    readonly freeze: string
    readonly maxDowntimeMs: number | null
    /** Patterns of container names and images. */
    readonly ignoreWriters: readonly string[]
    readonly dirlist: string
    readonly runtime: string
  }
  readonly backup: {
    readonly backupTimeoutMs: number | null
    readonly stallTimeoutMs: number
    readonly hostname: string
    /** IDs of machines whose snapshots under this hostname count as this one's. */
    readonly formerMachines: readonly string[]
    readonly retention: RetentionPolicy
    readonly autoInit: boolean
    readonly autoPrune: boolean
    readonly verification: boolean
    readonly verificationDepth: VerificationDepth
    readonly includeVolumes: boolean
    readonly includeBinds: 'none' | 'writable'
    readonly ignoreMounts: readonly string[]
    readonly shrinkGuardPercent: number
    readonly maxAgeMs: number
    /** `null`: not given. */
    readonly lockWaitMs: number | null
    readonly engine: string
  }
  readonly cloud: {
    readonly provider: string
    readonly retries: number
    readonly syncTimeoutMs: number | null
    readonly restoreTimeoutMs: number | null
    readonly maxDeletePercent: number
    readonly trashDays: number
  }
  readonly drill: {
    readonly probe: string | null
    readonly probeTimeoutMs: number
    readonly sampleFiles: number
    /** `null`: by the processors of this host. */
    readonly parallelStacks: number | null
  }
  /** NAMEs of the `[stack:NAME]` sections. */
  readonly stackSections: readonly string[]
  readonly notifications: readonly NotificationSection[]
  /** Names of keys of the chosen providers, for advice. */
  readonly settingNames: SettingNames
  /** What counts for one stack: its own section over the general ones. */
  stack(name: string): StackSettings
  /** Checked values for a provider, all its keys. A notifier's are those of one `[notify:NAME]`, with the core's own `URL` and `SECRET_FILE`. */
  settingsOf(descriptor: AnyDescriptor, notification?: string): SettingValues
  /** Every value that counts, with where it comes from. */
  resolved(): readonly ResolvedInSection[]
}

export interface StackSettings {
  /** `null`: its section says nothing, so the container label and then the general key count. */
  readonly stopMode: StopModeChoice | null
  /** Of a container that asks for no grace itself. */
  readonly graceSeconds: number
  /** Patterns in the engine's own notation. */
  readonly exclude: readonly string[]
  readonly includeVolumes: boolean
  readonly includeBinds: 'none' | 'writable'
  /** Its own and the general ones. */
  readonly ignoreMounts: readonly string[]
  /** Patterns of container names and images, its own and the general ones. */
  readonly ignoreWriters: readonly string[]
  readonly warmPass: WarmPass
  readonly freeze: string
  readonly maxDowntimeMs: number | null
  readonly shrinkGuardPercent: number
  readonly probe: string | null
}

export interface NotificationSection {
  readonly name: string
  /** The notifier's id. */
  readonly type: string
  readonly on: 'failure' | 'warning' | 'always'
}

export interface ResolvedInSection extends Resolved {
  readonly section: string
}

export interface ConfigurationRequest {
  /** From --config. */
  readonly file?: string | undefined
  readonly environment: Environment
  /** All that plugins provide; none where the command loads no provider: then what only those know is not judged. */
  readonly descriptors: readonly AnyDescriptor[]
  readonly needs?: readonly Need[]
  /** `defaults`: without any file (and none asked for) every key has its default. For what must work before a configuration is written. */
  readonly whenMissing?: 'fail' | 'defaults'
  /** The system's configuration. Default: `/etc/stackbk/config.ini`; tests name another, so that this host's own does not count. */
  readonly systemFile?: string
}

/**
 * Finds, reads and checks the configuration. Throws one StackbkError of kind `configuration` that lists all problems at
 * once, each with file and line. Reads files, writes nothing, takes about a millisecond.
 */
export function loadConfiguration(request: ConfigurationRequest): Configuration {
  const { environment, descriptors } = request
  const place = findConfigurationFile({ file: request.file, environment, systemFile: request.systemFile })
  const isAbsenceFine = request.whenMissing === 'defaults' && !place.isNamed
  const { text, mode } = !place.exists && isAbsenceFine ? { text: '', mode: 0o600 } : readConfigurationFile(place)
  return checkConfiguration({ file: place.file, exists: place.exists, text, mode, environment, descriptors, needs: request.needs ?? [] })
}

export interface ConfigurationTextRequest extends Pick<ConfigurationRequest, 'environment' | 'descriptors'> {
  readonly file: string
  readonly exists: boolean
  readonly text: string
  /** Permission bits. */
  readonly mode: number
  readonly needs: readonly Need[]
}

/** What it takes to tell somebody. */
export type NotificationSettings = Pick<Configuration, 'notifications' | 'settingsOf'> & { readonly backup: Pick<Configuration['backup'], 'hostname'> }

/**
 * Of a configuration that cannot be used, what its `[notify:NAME]` sections say: those that are right in themselves, so that
 * somebody hears of the others. `null` where the file cannot even be read. Throws nothing.
 */
export function salvageNotifications(request: ConfigurationRequest): NotificationSettings | null {
  const { environment, descriptors } = request
  try {
    const place = findConfigurationFile({ file: request.file, environment })
    const { file } = place
    const source: Source = { ini: parseIni(readConfigurationFile(place).text), catalogue: catalogueOf(descriptors), place: readingPlaceOf(file, environment), environment }
    const wrong = new Set([...checkLines({ file, ...source }), ...checkNotifications({ file, source, areNeeded: true })].filter(isError).map(({ line }) => line))
    const linesOf = (name: string): number[] => [...source.ini.sections.filter((section) => section.name === name), ...(source.ini.bySection.get(name) ?? [])].map(({ line }) => line)
    const read = interpret(file, true, source)
    return { ...read, notifications: read.notifications.filter(({ name }) => !linesOf(`notify:${name}`).some((line) => wrong.has(line))) }
  } catch {
    return null
  }
}

function readingPlaceOf(file: string, environment: Environment): Source['place'] {
  return { folder: dirname(file), home: homeFolder(environment), credentials: environment['CREDENTIALS_DIRECTORY'] || null }
}

/** The same for a text that need not be on disk yet. */
export function checkConfiguration(request: ConfigurationTextRequest): Configuration {
  const { file, text, mode, environment, descriptors } = request
  const ini = parseIni(text)
  const chosen = ini.entries.filter(({ key }) => key === 'ENGINE' || key === 'PROVIDER' || key === 'RUNTIME').flatMap(({ value }) => [value, idOf(value)])
  const catalogue = catalogueOf(descriptors, chosen)
  const readingPlace = readingPlaceOf(file, environment)
  const source: Source = { ini, catalogue, place: readingPlace, environment }

  const ofLines = [...checkPermissions({ file, mode, ini, catalogue }), ...checkLines({ file, ini, catalogue, place: readingPlace })]
  const interpreted = interpret(file, request.exists, source)
  const configuration = { ...interpreted, settingNames: settingNamesOf(descriptors, { engine: interpreted.backup.engine, transport: interpreted.cloud.provider }) }
  const ofWhole = [
    ...checkNotifications({ file, source, areNeeded: request.needs.includes('notifications') }),
    ...checkNeeds({
      file,
      source,
      needs: request.needs,
      engine: configuration.backup.engine,
      transport: configuration.cloud.provider,
      stacksDirectory: resolveKey(source, 'docker', 'DOCKER_STACKS_DIR'),
    }),
    // A value that cannot be read counts as its default below, and would be judged as that.
    ...(ofLines.some(isError) ? [] : crossChecks(configuration, descriptors)),
  ]
  const problems = [...ofLines, ...ofWhole].toSorted((a, b) => a.line - b.line)
  if (problems.some(isError)) throw wrongConfiguration(file, problems)
  return { ...configuration, problems: problems.map(withoutLine) }
}

function interpret(file: string, exists: boolean, source: Source): Omit<Configuration, 'settingNames'> {
  const { ini } = source
  const value = (section: string, key: string): SettingValue => resolveKey(source, section, key).value
  const text = (section: string, key: string): string => String(value(section, key) ?? '')
  const number = (section: string, key: string): number => Number(value(section, key))
  const limit = (section: string, key: string): number | null => value(section, key) as number | null
  const flag = (section: string, key: string): boolean => value(section, key) === true
  const list = (section: string, key: string): readonly string[] => (value(section, key) ?? []) as readonly string[]
  const namesIn = (family: string): string[] => [
    ...new Set(ini.sections.filter(({ name }) => name.startsWith(`${family}:`)).map(({ name }) => name.slice(family.length + 1))),
  ]

  const docker: Configuration['docker'] = {
    stacksDirectory: text('docker', 'DOCKER_STACKS_DIR'),
    graceSeconds: number('docker', 'DOCKER_TIMEOUT') / 1000,
    stopMode: text('docker', 'STOP_MODE') as StopModeChoice,
    healthTimeoutMs: number('docker', 'HEALTH_TIMEOUT'),
    warmPass: warmPassOf(text('docker', 'WARM_PASS')),
    freeze: text('docker', 'FREEZE').toLowerCase(),
    maxDowntimeMs: limit('docker', 'MAX_DOWNTIME'),
    ignoreWriters: list('docker', 'IGNORE_WRITERS'),
    dirlist: text('docker', 'DIRLIST'),
    runtime: text('docker', 'RUNTIME'),
  }
  const backup: Configuration['backup'] = {
    backupTimeoutMs: limit('local_backup', 'BACKUP_TIMEOUT'),
    stallTimeoutMs: number('local_backup', 'STALL_TIMEOUT'),
    hostname: text('local_backup', 'HOSTNAME') || hostname(),
    formerMachines: list('local_backup', 'FORMER_MACHINES'),
    retention: {
      // Who says how many of the newest are kept has said what becomes of the others.
      withinMs: resolveKey(source, 'local_backup', 'KEEP_WITHIN').origin.kind !== 'file' && resolveKey(source, 'local_backup', 'KEEP_LAST').origin.kind === 'file' && number('local_backup', 'KEEP_LAST') > 0 ? 0 : number('local_backup', 'KEEP_WITHIN'),
      last: number('local_backup', 'KEEP_LAST'),
      daily: number('local_backup', 'KEEP_DAILY'),
      weekly: number('local_backup', 'KEEP_WEEKLY'),
      monthly: number('local_backup', 'KEEP_MONTHLY'),
      yearly: number('local_backup', 'KEEP_YEARLY'),
    },
    autoInit: flag('local_backup', 'AUTO_INIT'),
    autoPrune: flag('local_backup', 'AUTO_PRUNE'),
    verification: flag('local_backup', 'ENABLE_VERIFICATION'),
    verificationDepth: text('local_backup', 'VERIFICATION_DEPTH') as VerificationDepth,
    includeVolumes: flag('local_backup', 'INCLUDE_VOLUMES'),
    includeBinds: text('local_backup', 'INCLUDE_BINDS') as 'none' | 'writable',
    ignoreMounts: list('local_backup', 'IGNORE_MOUNTS'),
    shrinkGuardPercent: number('local_backup', 'SHRINK_GUARD'),
    maxAgeMs: number('local_backup', 'MAX_AGE'),
    lockWaitMs: limit('local_backup', 'LOCK_WAIT'),
    engine: text('local_backup', 'ENGINE'),
  }
  const drill: Configuration['drill'] = {
    probe: text('drill', 'PROBE') || null,
    probeTimeoutMs: number('drill', 'PROBE_TIMEOUT'),
    sampleFiles: number('drill', 'SAMPLE_FILES'),
    parallelStacks: number('drill', 'PARALLEL_STACKS') || null,
  }

  return {
    file,
    exists,
    format: ini.format,
    problems: [],
    docker,
    backup,
    cloud: {
      provider: text('cloud_sync', 'PROVIDER'),
      retries: number('cloud_sync', 'RETRIES'),
      syncTimeoutMs: limit('cloud_sync', 'SYNC_TIMEOUT'),
      restoreTimeoutMs: limit('cloud_sync', 'RESTORE_TIMEOUT'),
      maxDeletePercent: number('cloud_sync', 'MAX_DELETE'),
      trashDays: number('cloud_sync', 'TRASH_DAYS'),
    },
    drill,
    stackSections: namesIn('stack'),
    // Where its secret is at hand only in a unit, nobody is told by hand.
    notifications: namesIn('notify').filter((name) => resolveKey(source, `notify:${name}`, 'SECRET_FILE').reading?.status !== 'unavailable').map((name) => ({
      name,
      type: typeOf(ini, `notify:${name}`),
      on: text(`notify:${name}`, 'ON') as NotificationSection['on'],
    })),
    stack: (name) => {
      const section = `stack:${name}`
      const isGiven = (key: string): boolean => resolveKey(source, section, key).origin.kind === 'file'
      const general = <T>(key: string, own: T, otherwise: T): T => (isGiven(key) ? own : otherwise)
      return {
        stopMode: general<StopModeChoice | null>('STOP_MODE', text(section, 'STOP_MODE') as StopModeChoice, null),
        graceSeconds: general('DOCKER_TIMEOUT', number(section, 'DOCKER_TIMEOUT') / 1000, docker.graceSeconds),
        exclude: list(section, 'EXCLUDE'),
        includeVolumes: general('INCLUDE_VOLUMES', flag(section, 'INCLUDE_VOLUMES'), backup.includeVolumes),
        includeBinds: general('INCLUDE_BINDS', text(section, 'INCLUDE_BINDS') as 'none' | 'writable', backup.includeBinds),
        ignoreMounts: [...new Set([...backup.ignoreMounts, ...list(section, 'IGNORE_MOUNTS')])],
        ignoreWriters: [...new Set([...docker.ignoreWriters, ...list(section, 'IGNORE_WRITERS')])],
        warmPass: general('WARM_PASS', warmPassOf(text(section, 'WARM_PASS')), docker.warmPass),
        freeze: general('FREEZE', text(section, 'FREEZE').toLowerCase(), docker.freeze),
        maxDowntimeMs: general('MAX_DOWNTIME', limit(section, 'MAX_DOWNTIME'), docker.maxDowntimeMs),
        shrinkGuardPercent: general('SHRINK_GUARD', number(section, 'SHRINK_GUARD'), backup.shrinkGuardPercent),
        probe: general('PROBE', text(section, 'PROBE') || null, drill.probe),
      }
    },
    settingsOf: (descriptor, notification) => {
      const declarations = notification === undefined ? descriptor.settings : source.catalogue.declarationsOf('notify', descriptor.id).filter(({ key }) => key !== 'TYPE' && key !== 'ON')
      return Object.fromEntries(declarations.map((declaration) => [declaration.key, resolveSetting(source, notification === undefined ? declaration.section : `notify:${notification}`, declaration).value]))
    },
    resolved: () => resolveAll(source),
  }
}

function warmPassOf(text: string): WarmPass {
  return text === 'auto' ? 'auto' : text === 'true'
}

/** A key of the core's own. */
function resolveKey(source: Source, section: string, key: string): Resolved {
  const declaration = source.catalogue.declarationsOf(section).find((candidate) => candidate.key === key)
  if (declaration === undefined) throw new Error(`no declaration of ${key} in [${section}]`)
  return resolveSetting(source, section, declaration)
}

/** All keys of the general sections; of those with a name only what is given there. */
function resolveAll(source: Source): ResolvedInSection[] {
  const { ini, catalogue } = source
  const general = catalogue.plainSections.flatMap((section) => resolveSection(source, section))
  // Of a plugin's own keys all are shown, as of those of the bundled ones: its section has no other name.
  const ofPlugins = catalogue.pluginSections.flatMap((section) => resolveSection(source, section))
  const named = [...new Set(ini.sections.map(({ name }) => name))].filter((name) => name.includes(':') && !catalogue.pluginSections.includes(name))
  return [...general, ...ofPlugins, ...named.flatMap((section) => resolveSection(source, section).filter(({ origin }) => origin.kind !== 'default'))]
}

function resolveSection(source: Source, section: string): ResolvedInSection[] {
  // Two providers may declare the same key: it has one line in the file, and one value.
  const declarations = new Map(source.catalogue.declarationsOf(section, typeOf(source.ini, section)).toReversed().map((declaration) => [declaration.key, declaration]))
  return [...declarations.values()].toReversed().map((declaration) => ({ section, ...resolveSetting(source, section, declaration) }))
}

function isError(problem: Problem): boolean {
  return problem.severity === 'error'
}

function withoutLine({ severity, code, message, fix }: FileProblem): Problem {
  return { severity, code, message, fix }
}

/** Each error is a line. Warnings come along: a mistyped key explains a missing one. */
function wrongConfiguration(file: string, problems: readonly FileProblem[]): StackbkError {
  const errors = problems.filter(isError)
  const warnings = problems.filter((problem) => !isError(problem))
  const [only, ...others] = errors
  const isOne = only !== undefined && others.length === 0
  return new StackbkError({
    kind: 'configuration',
    code: isOne ? only.code : 'configuration',
    message: isOne ? `the configuration ${file} cannot be used` : `the configuration ${file} has ${errors.length} errors`,
    detail: [...(isOne ? [only.message] : errors.map(lineOf)), ...warnings.map((problem) => `warning: ${lineOf(problem)}`)].join('\n'),
    fix: isOne && only.fix !== '' ? only.fix : 'Correct them, then run: stackbk config check',
    problems: problems.map(withoutLine),
  })
}

function lineOf({ message, fix }: Problem): string {
  return fix === '' ? message : `${message}. ${fix}`
}
