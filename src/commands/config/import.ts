import { Args, Flags } from '../../ui/command-line.js'

import { findConfigurationFile } from '../../config/config-file.js'
import { descriptorsOf } from '../../stages/configuration.js'
import { type ImportResult, importSetup } from '../../stages/import.js'
import { presentImport } from '../../ui/present-configuration.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ConfigImport extends StackbkCommand<ImportResult> {
  static override summary = 'import an older configuration, an rclone.conf or a dirlist'
  static override description = `The kind of FILE is recognised from its contents. FILE is never changed, and nothing of it is lost: lines that are not understood become comments.\n\n${exitCodeHelp([3], { 1: 'the configuration cannot be written', 2: 'invalid usage; nothing was written', 3: 'imported, but the new configuration has errors' })}`
  static override examples = ['<%= config.bin %> config import /etc/backup.conf', '<%= config.bin %> config import ~/.config/rclone/rclone.conf']
  static override args = { file: Args.string({ description: 'file to import', ignoreStdin: true, required: true }) }
  static override flags = {
    force: Flags.boolean({ description: 'replace an existing configuration; what FILE says wins' }),
    output: Flags.string({ description: 'configuration to write (default: where stackbk looks for it)', helpValue: 'FILE' }),
  }

  protected async act(): Promise<{ result: ImportResult; exitCode: number }> {
    const { args, flags } = await this.parse(ConfigImport)
    return importSetup(this.facts(), {
      source: args.file,
      output: flags.output ?? findConfigurationFile({ file: flags.config, environment: process.env }).file,
      force: flags.force,
      environment: process.env,
      descriptors: descriptorsOf(await this.offers()),
    })
  }

  protected present(result: ImportResult): string {
    return presentImport(result)
  }
}
