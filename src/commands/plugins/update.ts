import { Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { PluginInstallerCommand } from '../../ui/installer-command.js'

export default class PluginsUpdate extends PluginInstallerCommand {
  static override summary = 'update all installed plugins'
  static override description = `Each plugin is updated from the registry or git repository that it came from. Plugins from a file and linked plugins are not changed. "plugins" and "doctor" report a version that needs another stackbk.\n\n${exitCodeHelp([])}`
  static override examples = ['<%= config.bin %> plugins update']
  static override flags = { verbose: Flags.boolean({ char: 'v', description: 'all output of npm' }) }

  async run(): Promise<void> {
    await this.carryOut('plugins:update', this.argv)
  }
}
