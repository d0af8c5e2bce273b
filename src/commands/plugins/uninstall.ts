import { Args, Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { PluginInstallerCommand } from '../../ui/installer-command.js'
import { exampleName, pluginsFolderHelp } from '../../ui/installer-help.js'

export default class PluginsUninstall extends PluginInstallerCommand {
  static override summary = 'remove an installed plugin, or stop using a linked one'
  static override description = `The folder of a linked plugin is not changed. ${pluginsFolderHelp}\n\n${exitCodeHelp([], { 2: 'invalid usage, or there is no such plugin' })}`
  static override aliases = ['plugins:unlink', 'plugins:remove']
  static override examples = [`<%= config.bin %> plugins uninstall ${exampleName}`, '<%= config.bin %> plugins uninstall /home/me/stackbk-plugin-shelf']
  static override args = { plugin: Args.string({ description: 'name of the plugin, or folder of a linked one (default: the current folder)', ignoreStdin: true }) }
  static override flags = { verbose: Flags.boolean({ char: 'v', description: 'all output of npm' }) }

  async run(): Promise<void> {
    const { linkedIn } = await import('../../providers/plugin-loading.js')
    await this.carryOut('plugins:uninstall', this.argv.map((word) => linkedIn(this.config.dataDir, word) ?? word))
  }
}
