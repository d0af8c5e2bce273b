import { Args, Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { PluginInstallerCommand } from '../../ui/installer-command.js'
import { exampleName } from '../../ui/installer-help.js'

export default class PluginsInspect extends PluginInstallerCommand {
  static override summary = 'show version, folder and dependencies of a plugin'
  static override description = `"stackbk plugins" lists what it provides to stackbk.\n\n${exitCodeHelp([], { 2: 'invalid usage, or there is no such plugin' })}`
  static override examples = [`<%= config.bin %> plugins inspect ${exampleName}`]
  static override args = { plugin: Args.string({ description: 'name of the plugin (default: the one in the current folder)', ignoreStdin: true }) }
  static override flags = { verbose: Flags.boolean({ char: 'v', description: 'include the dependencies of each dependency' }) }

  async run(): Promise<void> {
    await this.carryOut('plugins:inspect', this.argv)
  }
}
