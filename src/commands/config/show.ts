import { type ConfigurationShowResult, descriptorsOf, showConfiguration } from '../../stages/configuration.js'
import { presentSettings } from '../../ui/present-configuration.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ConfigShow extends StackbkCommand<ConfigurationShowResult> {
  static override summary = 'show effective values and where they come from'
  static override description = `Secrets are masked.\n\n${exitCodeHelp([], { 2: 'invalid configuration' })}`
  static override examples = ['<%= config.bin %> config show', '<%= config.bin %> config show --json']

  protected async act(): Promise<{ result: ConfigurationShowResult; exitCode: number }> {
    const { flags } = await this.parse(ConfigShow)
    return showConfiguration(this.facts(), { file: flags.config, environment: process.env, descriptors: descriptorsOf(await this.offers()) })
  }

  protected present(result: ConfigurationShowResult): string {
    return presentSettings(result)
  }
}
