import type { Engine } from './engine.js'
import type { Freezer } from './freezer.js'
import type { Notifier } from './notifier.js'
import type { Runtime } from './runtime.js'
import type { SettingDeclaration, SettingValues, TypedValues } from './setting.js'
import type { Exec } from './tool.js'
import type { Transport } from './transport.js'
import { CONTRACT_VERSION } from './version.js'

/** What each kind of provider is once created. */
export interface ProviderKinds {
  readonly runtime: Runtime
  readonly engine: Engine
  readonly transport: Transport
  readonly freezer: Freezer
  readonly notifier: Notifier
}

export type ProviderKind = keyof ProviderKinds

export type LogLevel = 'debug' | 'info' | 'warning' | 'error'

/** One line to the run log, and to the terminal where its level asks for it. Fields must not hold secrets in the clear. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void

/** What the core lends to a provider. */
export interface ProviderContext {
  /** Aborted when the whole run ends: background work (an event stream) stops at it. Calls that may be cut short take a signal of their own. */
  readonly signal: AbortSignal
  readonly log: Log
  readonly exec: Exec
  /** True: change nothing, anywhere. The core does not call what changes things; this is for what a provider does by itself. */
  readonly dryRun: boolean
  /** A folder of this provider's own, mode 0700, that may be emptied at any time. Who first needs it makes it. */
  readonly cacheDir: string
  /**
   * A folder of this provider's own for what must not be lost, such as what the tool remembers of a repository. stackbk never
   * empties it. It does not exist until the provider makes it, with mode 0700. It is not part of the disaster kit: what a new
   * host needs goes into the recovery files.
   */
  readonly dataDir?: string
}

/** A file or a folder whose content can make a tool run a program. */
export interface CommandFile {
  /** The key or the variable that names it, such as `RCLONE_CONFIG`. */
  readonly namedBy: string
  readonly path: string
}

/** What a plugin's `stackbk:providers` hook returns: cheap to make, nothing heavy imported before `create`. */
export interface Descriptor<K extends ProviderKind = ProviderKind> {
  readonly kind: K
  /** What the configuration calls it, such as `restic`. */
  readonly id: string
  /** The {@link CONTRACT_VERSION} that it was written for. */
  readonly apiVersion: number
  /** For people: `restic snapshot engine`. */
  readonly title: string
  readonly settings: readonly SettingDeclaration[]
  /**
   * Names the files and folders that the settings or the environment choose, and whose content can make the provider's tools run a
   * program, such as a configuration of rclone. As root, the core refuses one that another user can change. No I/O. Absent: none.
   */
  commandFiles?(settings: SettingValues, environment: Readonly<Record<string, string | undefined>>): readonly CommandFile[]
  /** No I/O here either: that begins with the first call. */
  create(settings: SettingValues, context: ProviderContext): Promise<ProviderKinds[K]>
}

/** A descriptor of whatever kind. */
export type AnyDescriptor = { readonly [K in ProviderKind]: Descriptor<K> }[ProviderKind]

/** What a plugin says of a provider: the types of the `values` follow from the `settings`. */
export interface Definition<K extends ProviderKind, S extends readonly SettingDeclaration[]> extends Omit<Descriptor<K>, 'kind' | 'apiVersion' | 'settings' | 'create'> {
  readonly settings: S
  /** As {@link Descriptor.create}. */
  create(values: TypedValues<S>, context: ProviderContext): Promise<ProviderKinds[K]>
}

function described<K extends ProviderKind, S extends readonly SettingDeclaration[]>(kind: K, definition: Definition<K, S>): Descriptor<K> {
  return { kind, apiVersion: CONTRACT_VERSION, ...definition }
}

/** A container runtime, such as Docker Compose. */
export function defineRuntime<const S extends readonly SettingDeclaration[]>(definition: Definition<'runtime', S>): Descriptor<'runtime'> {
  return described('runtime', definition)
}

/** A snapshot engine, such as restic. */
export function defineEngine<const S extends readonly SettingDeclaration[]>(definition: Definition<'engine', S>): Descriptor<'engine'> {
  return described('engine', definition)
}

/** A transport to the cloud, such as rclone. */
export function defineTransport<const S extends readonly SettingDeclaration[]>(definition: Definition<'transport', S>): Descriptor<'transport'> {
  return described('transport', definition)
}

/** Snapshots of a file system, such as btrfs. */
export function defineFreezer<const S extends readonly SettingDeclaration[]>(definition: Definition<'freezer', S>): Descriptor<'freezer'> {
  return described('freezer', definition)
}

/** A way of telling people, such as a webhook. One object is created for each `[notify:NAME]` section that names its type. */
export function defineNotifier<const S extends readonly SettingDeclaration[]>(definition: Definition<'notifier', S>): Descriptor<'notifier'> {
  return described('notifier', definition)
}
