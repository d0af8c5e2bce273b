import { type ConfigurationSchemaResult, describeSchema, descriptorsOf } from '../../stages/configuration.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ConfigSchema extends StackbkCommand<ConfigurationSchemaResult> {
  static override summary = 'print a JSON Schema of the configuration'
  static override description = `Covers all keys of stackbk and its plugins. With --json the schema is the value of \`schema\`.\n\n${exitCodeHelp([], { 2: 'invalid usage' })}`
  static override examples = ['<%= config.bin %> config schema > stackbk.schema.json']

  protected async act(): Promise<{ result: ConfigurationSchemaResult; exitCode: number }> {
    await this.parse(ConfigSchema)
    return describeSchema(this.facts(), descriptorsOf(await this.offers()))
  }

  protected present(result: ConfigurationSchemaResult): string {
    return JSON.stringify(result.schema, null, 2)
  }
}
