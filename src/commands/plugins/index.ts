import { listPlugins, type PluginsResult } from '../../stages/plugins.js'
import { Flags } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { exampleTarball } from '../../ui/installer-help.js'
import { presentKeys, presentPlugins } from '../../ui/present-plugins.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class Plugins extends StackbkCommand<PluginsResult> {
  static override summary = 'list the plugins and what each provides'
  static override description = `Lists installed and linked plugins, and says why one cannot be used.\n\n${exitCodeHelp([], { 2: 'invalid usage' })}`
  static override examples = ['<%= config.bin %> plugins', '<%= config.bin %> plugins --keys', `<%= config.bin %> plugins install ${exampleTarball}`]
  static override flags = {
    core: Flags.boolean({ description: 'include plugins that come with stackbk' }),
    keys: Flags.boolean({ description: 'list the configuration keys of each plugin' }),
  }

  #shown = { all: false, keys: false }

  protected async act(): Promise<{ result: PluginsResult; exitCode: number }> {
    const { flags } = await this.parse(Plugins)
    this.#shown = { all: flags.core, keys: flags.keys }
    return listPlugins(this.facts(), await this.offers())
  }

  protected present(result: PluginsResult): string {
    return this.#shown.keys ? presentKeys(result, this.#shown.all) : presentPlugins(result, this.#shown.all)
  }
}
