import { checkWhole, type ConfigurationCheckResult, descriptorsOf } from '../../stages/configuration.js'
import { presentCheck } from '../../ui/present-configuration.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ConfigCheck extends StackbkCommand<ConfigurationCheckResult> {
  static override summary = 'validate the configuration and the dirlist'
  static override description = `Reports all errors at once, each with file and line. Starts no tool; to try the configuration, run: stackbk doctor\n\n${exitCodeHelp([], { 0: 'no errors', 2: 'there are errors' })}`
  static override hiddenAliases = ['config:validate']
  static override examples = ['<%= config.bin %> config check', '<%= config.bin %> config check --config new.ini']

  #isNamed = false

  protected async act(): Promise<{ result: ConfigurationCheckResult; exitCode: number }> {
    const { flags } = await this.parse(ConfigCheck)
    this.#isNamed = flags.config !== undefined
    return checkWhole(this.facts(), { file: flags.config, environment: process.env, descriptors: descriptorsOf(await this.offers()) })
  }

  protected present(result: ConfigurationCheckResult): string {
    return presentCheck(result, this.#isNamed)
  }
}
