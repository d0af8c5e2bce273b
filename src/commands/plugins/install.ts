import { assertNoShortName, forgetScope } from '../../providers/package-names.js'
import { Args, Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { PluginInstallerCommand } from '../../ui/installer-command.js'
import { exampleTarball, pluginsFolderHelp } from '../../ui/installer-help.js'

export default class PluginsInstall extends PluginInstallerCommand {
  static override summary = 'install a plugin from a file, a registry or a repository'
  static override description = `The package is checked before it is installed: it must be a plugin for this version of stackbk. It runs with the rights of stackbk, so install only what you trust. A plugin that comes with stackbk cannot be replaced.\n\nA short name such as "rsync" is refused, because in a public registry anyone could own it. Give a file or the full name of the package (stackbk-plugin-NAME or @SCOPE/NAME). With STACKBK_NPM_REGISTRY set to a registry of your own, a short name means @stackbk/plugin-NAME.\n\n${pluginsFolderHelp} npm does the work; STACKBK_NPM_LOG_LEVEL sets what it prints.\n\n${exitCodeHelp([], { 1: 'failed, or installed and cannot be used', 2: 'invalid usage, or the package is refused; nothing was installed' })}`
  static override aliases = ['plugins:add']
  static override examples = [`<%= config.bin %> plugins install ${exampleTarball}`, '<%= config.bin %> plugins install https://git.example.com/me/shelf.git']
  static override args = { plugin: Args.string({ description: 'file:/absolute/path, name of a package (with @VERSION if wanted), or address of a git repository', required: true, ignoreStdin: true }) }
  static override flags = {
    force: Flags.boolean({ char: 'f', description: 'download everything again, even what npm has in its cache' }),
    silent: Flags.boolean({ char: 's', description: 'no output of npm' }),
    verbose: Flags.boolean({ char: 'v', description: 'all output of npm' }),
  }

  async run(): Promise<void> {
    for (const word of this.words) assertNoShortName(word, process.env)
    forgetScope(this.config, process.env)
    await this.carryOut('plugins:install', this.argv)
  }
}
