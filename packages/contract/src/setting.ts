import type { Secret } from './secret.js'

/**
 * - `string`: as written
 * - `path`: an absolute path; `~/` and paths relative to the configuration file are resolved by the core
 * - `integer`: a whole number
 * - `boolean`: `true`/`false`, `yes`/`no`, `on`/`off`, `1`/`0`, in any case
 * - `choice`: one of `choices`, in any case
 * - `duration`: seconds in the file (`300`), or with a unit (`90s`, `15m`, `26h`, `2d`); **milliseconds** as a value
 * - `percentage`: `50` or `50 %` in the file; the number 50 as a value
 * - `list`: separated by commas, each part trimmed; a part may be quoted
 */
export type SettingType = 'string' | 'path' | 'integer' | 'boolean' | 'choice' | 'duration' | 'percentage' | 'list'

/** What a setting's value can be once checked. `null`: not given and without default. */
export type SettingValue = string | number | boolean | readonly string[] | Secret | null

/** Checked values by key (upper case, the declared name, never an alias). */
export type SettingValues = Readonly<Record<string, SettingValue>>

type ValueOfType<D extends SettingDeclaration> = D extends { readonly secret: true }
  ? Secret
  : D extends { readonly type: 'choice'; readonly choices: readonly (infer C extends string)[] }
    ? C
    : D['type'] extends 'integer' | 'duration' | 'percentage'
      ? number
      : D['type'] extends 'boolean'
        ? boolean
        : D['type'] extends 'list'
          ? readonly string[]
          : string

/**
 * The values of declared keys, each with its own type; what the core adds can be read by its name too. A key without a default may
 * be `null`, also one that is `required`: `doctor` creates a provider whose keys are missing.
 */
export type TypedValues<S extends readonly SettingDeclaration[]> = string extends S[number]['key']
  ? SettingValues
  : SettingValues & { readonly [D in S[number] as D['key']]: ValueOfType<D> | (D extends { readonly default: NonNullable<SettingValue> } ? never : null) }

/** One key of the configuration file, as data: the checker, the masking, the wizard and the schema all read it from here. */
export interface SettingDeclaration {
  /** The section's name, such as `local_backup`, or `plugin:ID` for a third party's. */
  readonly section: string
  /** Upper case. Matched in any case. */
  readonly key: string
  /** Other names that are read too. */
  readonly aliases?: readonly string[]
  /** Names that count only in the legacy flat form, which has no sections. */
  readonly flatAliases?: readonly string[]
  readonly type: SettingType
  readonly choices?: readonly string[]
  /** For `string`, and for a secret: what the value must match, as a regular expression's source, and the same in words after "must be". */
  readonly pattern?: { readonly matches: string; readonly inWords: string }
  /** In the unit of the value, not of the file. Absent: `null`. */
  readonly default?: SettingValue
  /** Inclusive, in the unit of the value. */
  readonly range?: { readonly min?: number; readonly max?: number }
  /** Masked wherever it is shown; a file that holds one must not be readable by others. */
  readonly secret?: boolean
  /** The value may be `credential:NAME`, a file that systemd puts into $CREDENTIALS_DIRECTORY. For `path` only. */
  readonly credential?: boolean
  /** A provider that cannot work without this key says so here; the core asks only where that provider is used. */
  readonly required?: boolean
  /** Keys of which the first given counts; a second one given is a warning. Named the same in each of them. */
  readonly oneOf?: string
  /** `location`: the key says where the repository of an engine, or the copy of a transport, is. Advice names it. Absent: the first one that is required. */
  readonly role?: 'location'
  /** One lower-case fragment, no full stop. */
  readonly help: string
}

/** Keeps a declaration's literal types and checks it at compile time. */
export function defineSettings<const T extends readonly SettingDeclaration[]>(settings: T): T {
  return settings
}
