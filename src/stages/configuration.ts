import type { AnyDescriptor } from '@stackbk/contract'

import { findConfigurationFile } from '../config/config-file.js'
import { type Configuration, type ConfigurationRequest, loadConfiguration } from '../config/configuration.js'
import { type NewConfiguration, type NewConfigurationRequest, writeNewConfiguration } from '../config/new-configuration.js'
import { configurationSchema } from '../config/schema.js'
import { type ShownSetting, shownSettings } from '../config/show.js'
import type { Offers } from '../providers/collect.js'
import { readDirlist } from '../stacks/dirlist.js'
import { strangeSections } from '../stacks/selection.js'
import { dirlistPlace } from './dirlist.js'
import { concluded, type Outcome, type ResultHeader, type RunFacts } from './result.js'

type Asked = Pick<ConfigurationRequest, 'file' | 'environment' | 'descriptors'>

export type ConfigurationCheckResult = ResultHeader & Pick<Configuration, 'file' | 'format'>
export type ConfigurationShowResult = ResultHeader & Pick<Configuration, 'file' | 'format'> & { readonly settings: readonly ShownSetting[] }
export type NewConfigurationResult = ResultHeader & Omit<NewConfiguration, 'problems'> & { readonly nextSteps: readonly string[] }
export type ConfigurationSchemaResult = ResultHeader & { readonly schema: ReturnType<typeof configurationSchema> }

/** What the usable plugins declare. */
export function descriptorsOf(offers: Offers): readonly AnyDescriptor[] {
  return offers.usable.map(({ descriptor }) => descriptor)
}

/** Everything that any command would find wrong. Throws where there is an error; warnings are in the result. */
export function checkWhole(run: RunFacts, asked: Asked): Outcome<ConfigurationCheckResult> {
  const configuration = loadConfiguration({ ...asked, needs: ['stacks', 'repository', 'password', 'remote-if-any', 'notifications'] })
  const dirlist = readDirlist(dirlistPlace(configuration))
  const problems = [...configuration.problems, ...dirlist.problems, ...strangeSections(configuration, dirlist)]
  return concluded(run, { file: configuration.file, format: configuration.format }, { status: 'ok', problems })
}

/** Every effective value with its origin, secrets masked. */
export function showConfiguration(run: RunFacts, asked: Asked): Outcome<ConfigurationShowResult> {
  const configuration = loadConfiguration({ ...asked, whenMissing: 'defaults' })
  const { file, format, problems } = configuration
  return concluded(run, { file, format, settings: shownSettings(configuration) }, { status: 'ok', problems })
}

/** A first configuration. Throws before anything is written. */
export function initialiseConfiguration(run: RunFacts, request: NewConfigurationRequest): Outcome<NewConfigurationResult> {
  const { problems, ...written } = writeNewConfiguration(request)
  const isFound = findConfigurationFile({ environment: request.environment }).file === written.file
  const flag = isFound ? '' : ` --config ${written.file}`
  const nextSteps = [
    ...(written.isPasswordNew ? [`Keep a copy of ${written.passwordFile} away from this machine: without it nothing can be restored`] : []),
    `Find the stacks: stackbk dirlist refresh${flag}`,
    `Choose those to back up: stackbk dirlist enable NAME...${flag}`,
    `Try it: stackbk backup --dry-run${flag}`,
  ]
  return concluded(run, { ...written, nextSteps }, { status: 'ok', problems })
}

export function describeSchema(run: RunFacts, descriptors: readonly AnyDescriptor[]): Outcome<ConfigurationSchemaResult> {
  return concluded(run, { schema: configurationSchema(descriptors) }, { status: 'ok', problems: [] })
}
