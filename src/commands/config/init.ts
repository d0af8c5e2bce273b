import { Flags } from '../../ui/command-line.js'

import { findConfigurationFile } from '../../config/config-file.js'
import { descriptorsOf, initialiseConfiguration, type NewConfigurationResult } from '../../stages/configuration.js'
import { presentNewConfiguration } from '../../ui/present-configuration.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ConfigInit extends StackbkCommand<NewConfigurationResult> {
  static override summary = 'write a first configuration'
  static override description = `From the flags; the wizard is not there yet. The file has mode 0600.\n\n${exitCodeHelp([], { 1: 'it cannot be written', 2: 'wrong usage, nothing was written' })}`
  static override examples = [
    '<%= config.bin %> config init --repository /mnt/backup/restic --generate-password',
    '<%= config.bin %> config init --stacks-dir /srv/stacks --repository /mnt/backup/restic --password-file /root/restic.pw --remote b2',
  ]
  static override flags = {
    force: Flags.boolean({ description: 'replace a configuration that is there; it is kept beside the new one' }),
    'generate-password': Flags.boolean({ description: 'write a new random password into the password file' }),
    output: Flags.string({ description: 'where to write it (default: where it is looked for)', helpValue: 'FILE' }),
    'password-file': Flags.string({ description: 'file with the repository password alone', helpValue: 'FILE' }),
    remote: Flags.string({ description: 'name of the remote in the cloud', helpValue: 'NAME' }),
    'remote-path': Flags.string({ description: 'path on the remote', helpValue: 'PATH' }),
    repository: Flags.string({ description: 'where the snapshots go', helpValue: 'PATH' }),
    'stacks-dir': Flags.string({ description: 'folder with one folder a stack', helpValue: 'PATH' }),
  }

  protected async act(): Promise<{ result: NewConfigurationResult; exitCode: number }> {
    const { flags } = await this.parse(ConfigInit)
    return initialiseConfiguration(this.facts(), {
      output: flags.output ?? findConfigurationFile({ file: flags.config, environment: process.env }).file,
      stacksDirectory: flags['stacks-dir'],
      repository: flags.repository,
      passwordFile: flags['password-file'],
      generatePassword: flags['generate-password'],
      remote: flags.remote,
      remotePath: flags['remote-path'],
      force: flags.force,
      environment: process.env,
      descriptors: descriptorsOf(await this.offers()),
    })
  }

  protected present(result: NewConfigurationResult): string {
    return presentNewConfiguration(result)
  }
}
