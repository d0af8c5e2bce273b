import { Args, Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { PluginInstallerCommand } from '../../ui/installer-command.js'
import { exampleName } from '../../ui/installer-help.js'

export default class PluginsInspect extends PluginInstallerCommand {
  static override summary = 'show version, folder and dependencies of an installed plugin'
  static override description = `What it provides to stackbk is listed by "plugins". With --json one document.\n\n${exitCodeHelp([], { 2: 'wrong usage, or there is no such plugin' })}`
  static override examples = [`<%= config.bin %> plugins inspect ${exampleName}`]
  static override args = { plugin: Args.string({ description: 'name of the plugin; the one in the present folder by default', ignoreStdin: true }) }
  static override flags = { verbose: Flags.boolean({ char: 'v', description: 'also the dependencies of each dependency' }) }

  async run(): Promise<void> {
    await this.carryOut('plugins:inspect', this.argv)
  }
}
