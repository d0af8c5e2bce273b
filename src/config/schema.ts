import type { AnyDescriptor, SettingDeclaration } from '@stackbk/contract'

import { catalogueOf } from './catalogue.js'
import { coreSettings } from './core-settings.js'
import { writeSetting } from './setting-value.js'

type Schema = Readonly<Record<string, unknown>>

/**
 * A JSON Schema of the configuration as an object of sections, each an object of keys, the values as they stand in the
 * file. Names are in upper case there; stackbk reads them in any case, which a schema cannot say.
 */
export function configurationSchema(descriptors: readonly AnyDescriptor[]): Schema {
  const catalogue = catalogueOf(descriptors)
  // What a key of the core's has to look like depends on the TYPE, so its general declaration counts here.
  const notifications = [...descriptors.filter(({ kind }) => kind === 'notifier').flatMap(({ settings }) => settings), ...catalogue.declarationsOf('notify')]
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'stackbk configuration',
    type: 'object',
    properties: Object.fromEntries([...catalogue.plainSections, ...catalogue.pluginSections].map((section) => [section, sectionSchema(catalogue.declarationsOf(section))])),
    patternProperties: {
      '^stack:.+$': sectionSchema(coreSettings.filter(({ section }) => section === 'stack')),
      '^notify:.+$': sectionSchema(notifications),
    },
    additionalProperties: false,
  }
}

function sectionSchema(declarations: readonly SettingDeclaration[]): Schema {
  const properties = declarations.flatMap((declaration) => [
    [declaration.key, keySchema(declaration)] as const,
    ...(declaration.aliases ?? []).map((alias) => [alias, { ...keySchema(declaration), description: `the same as ${declaration.key}` }] as const),
  ])
  return { type: 'object', properties: Object.fromEntries(properties), additionalProperties: false }
}

function keySchema(declaration: SettingDeclaration): Schema {
  const { help, secret, default: value } = declaration
  return {
    description: help,
    ...typeSchema(declaration),
    ...(value === undefined || value === null ? {} : { default: typeof value === 'number' || typeof value === 'boolean' ? plain(declaration, value) : writeSetting(declaration, value) }),
    ...(secret === true ? { writeOnly: true } : {}),
  }
}

function plain(declaration: SettingDeclaration, value: number | boolean): unknown {
  return declaration.type === 'duration' || declaration.type === 'percentage' ? writeSetting(declaration, value) : value
}

function typeSchema({ type, choices, pattern, range, default: value }: SettingDeclaration): Schema {
  switch (type) {
    case 'string':
      return { type: 'string', ...(pattern === undefined ? {} : { pattern: pattern.matches }) }
    case 'path':
      return { type: 'string' }
    case 'integer':
      return { type: ['integer', 'string'], pattern: '^[+-]?\\d{1,15}$', ...(range?.min === undefined ? {} : { minimum: range.min }), ...(range?.max === undefined ? {} : { maximum: range.max }) }
    case 'boolean':
      return { enum: [true, false, 'true', 'false', 'yes', 'no', 'on', 'off', '1', '0'] }
    case 'choice':
      return { enum: choices ?? [] }
    case 'duration':
      return { type: ['integer', 'string'], pattern: value === undefined ? '^(\\d+[ \\t]*[smhd]?|none)$' : '^\\d+[ \\t]*[smhd]?$' }
    case 'percentage':
      return { type: ['number', 'string'], pattern: '^\\d{1,3}(\\.\\d+)?[ \\t]*%?$' }
    case 'list':
      return { type: 'string', $comment: 'separated by commas' }
  }
}
