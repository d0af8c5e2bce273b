import { assertNoShortName, forgetScope } from '../../providers/package-names.js'
import { Args, Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { PluginInstallerCommand } from '../../ui/installer-command.js'
import { exampleName, exampleTarball, pluginsFolderHelp } from '../../ui/installer-help.js'

export default class PluginsInstall extends PluginInstallerCommand {
  static override summary = 'install a plugin from a file, a registry or a git repository'
  static override description = `A package is fetched and checked before it is installed: it must be a plugin for this version of stackbk. It runs with the rights of stackbk, so install only what you trust. One that comes with stackbk cannot be replaced.\n\nA short name such as "rsync" is refused: in a public registry anyone could own it. Give the whole name of the package (stackbk-plugin-NAME or @SCOPE/NAME) or a file. With STACKBK_NPM_REGISTRY set to a registry of your own, short names mean @stackbk/plugin-NAME there.\n\n${pluginsFolderHelp} npm does the work; STACKBK_NPM_LOG_LEVEL sets what it prints.\n\n${exitCodeHelp([], { 1: 'failed, or installed and cannot be used', 2: 'wrong usage, or the package is refused; nothing was installed' })}`
  static override aliases = ['plugins:add']
  static override examples = [`<%= config.bin %> plugins install ${exampleTarball}`, `<%= config.bin %> plugins install ${exampleName}`, '<%= config.bin %> plugins install https://git.example.com/someone/stackbk-plugin-shelf.git']
  static override args = { plugin: Args.string({ description: 'file:/absolute/path, name of a package with @VERSION if wanted, or address of a git repository', required: true, ignoreStdin: true }) }
  static override flags = {
    force: Flags.boolean({ char: 'f', description: 'fetch everything again, also what npm has in its cache' }),
    silent: Flags.boolean({ char: 's', description: 'no output of npm' }),
    verbose: Flags.boolean({ char: 'v', description: 'all output of npm' }),
  }

  async run(): Promise<void> {
    for (const word of this.words) assertNoShortName(word, process.env)
    forgetScope(this.config, process.env)
    await this.carryOut('plugins:install', this.argv)
  }
}
