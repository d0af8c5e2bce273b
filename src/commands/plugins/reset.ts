import { assertConfirmed } from '../../ui/confirmation.js'
import { Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { PluginInstallerCommand } from '../../ui/installer-command.js'
import { pluginsFolderHelp } from '../../ui/installer-help.js'

export default class PluginsReset extends PluginInstallerCommand {
  static override summary = 'remove all installed and linked plugins'
  static override description = `Asks first. What comes with stackbk stays, and so do the folders of linked plugins. ${pluginsFolderHelp}\n\n${exitCodeHelp([], { 2: 'invalid usage, or nobody could be asked' })}`
  static override examples = ['<%= config.bin %> plugins reset', '<%= config.bin %> plugins reset --reinstall --yes']
  static override flags = {
    hard: Flags.boolean({ description: 'also delete the packages that plugins brought along' }),
    reinstall: Flags.boolean({ description: 'install them all again afterwards' }),
    yes: Flags.boolean({ char: 'y', description: 'answer yes to the question' }),
  }

  async run(): Promise<void> {
    const isYes = (word: string): boolean => word === '--yes' || word === '-y'
    await assertConfirmed('Remove all installed plugins, and stop using all linked ones?', { yes: this.argv.some(isYes) })
    await this.carryOut('plugins:reset', this.argv.filter((word) => !isYes(word)))
  }
}
