import { Args, Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { PluginInstallerCommand } from '../../ui/installer-command.js'
import { pluginsFolderHelp } from '../../ui/installer-help.js'

export default class PluginsLink extends PluginInstallerCommand {
  static override summary = 'use a plugin from its development folder'
  static override description = `For the development of a plugin: changes in the folder take effect at the next call. Its dependencies must be installed there. A plugin that comes with stackbk cannot be replaced. To end it: plugins uninstall NAME\n\n${pluginsFolderHelp}\n\n${exitCodeHelp([], { 1: 'linked, and cannot be used', 2: 'invalid usage, or the folder is not a plugin; nothing was linked' })}`
  static override examples = ['<%= config.bin %> plugins link /home/me/stackbk-plugin-shelf', '<%= config.bin %> plugins link']
  static override args = { path: Args.string({ description: 'folder of the plugin (default: the current folder)', ignoreStdin: true }) }
  static override flags = {
    install: Flags.boolean({ description: 'run npm in the folder first, if it has a lockfile', default: false, allowNo: true }),
    verbose: Flags.boolean({ char: 'v', description: 'all output of npm' }),
  }

  async run(): Promise<void> {
    const [path = '.'] = this.words
    const { hasLockfile, nameOfPlugin, reloaded } = await import('../../providers/linked-plugin.js')
    const name = nameOfPlugin(path)
    // Without being asked npm would look for packages of the scope of stackbk in a public registry, where anyone may own it.
    const mayInstall = this.argv.includes('--install') && hasLockfile(path)
    await this.carryOut('plugins:link', [...this.argv.filter((word) => word !== '--install' && word !== '--no-install'), mayInstall ? '--install' : '--no-install'])
    const [{ showInstalled }, { collectOffers }] = await Promise.all([import('../../ui/installed-plugins.js'), import('../../providers/collect.js')])
    showInstalled(await collectOffers(await reloaded(this.config.root)), [name])
  }
}
