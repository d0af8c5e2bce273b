import { Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { PluginInstallerCommand } from '../../ui/installer-command.js'

export default class PluginsUpdate extends PluginInstallerCommand {
  static override summary = 'update all installed plugins'
  static override description = `Each from where it was installed: a registry or a git repository. One that was installed from a file stays as it is, and so does a linked one. A new version that needs another stackbk is reported by "plugins" and "doctor".\n\n${exitCodeHelp([])}`
  static override examples = ['<%= config.bin %> plugins update']
  static override flags = { verbose: Flags.boolean({ char: 'v', description: 'all output of npm' }) }

  async run(): Promise<void> {
    await this.carryOut('plugins:update', this.argv)
  }
}
