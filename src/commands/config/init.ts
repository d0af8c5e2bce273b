import { Flags } from '../../ui/command-line.js'

import { findConfigurationFile } from '../../config/config-file.js'
import { descriptorsOf, initialiseConfiguration, type NewConfigurationResult } from '../../stages/configuration.js'
import { firstLook } from '../../stages/first-look.js'
import type { WizardAnswers } from '../../ui/configuration-wizard.js'
import { offeredBy } from '../../ui/offered-command.js'
import { presentNewConfiguration } from '../../ui/present-configuration.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ConfigInit extends StackbkCommand<NewConfigurationResult> {
  static override summary = 'write a first configuration'
  static override description = `Run in a terminal with no flag but --output or --force, it asks for everything, tests the result and offers the next steps. Otherwise everything comes from the flags. The file gets mode 0600.\n\n${exitCodeHelp([], { 1: 'the configuration cannot be written', 2: 'invalid usage; nothing was written' })}`
  static override examples = [
    '<%= config.bin %> config init',
    '<%= config.bin %> config init --repository /mnt/backup --generate-password',
  ]
  static override flags = {
    force: Flags.boolean({ description: 'replace an existing configuration; the old one is kept' }),
    'generate-password': Flags.boolean({ description: 'write a new random password into the password file' }),
    output: Flags.string({ description: 'file to write (default: where stackbk looks for it)', helpValue: 'FILE' }),
    'password-file': Flags.string({ description: 'file that holds only the repository password', helpValue: 'FILE' }),
    remote: Flags.string({ description: 'name of the remote in the cloud', helpValue: 'NAME' }),
    'remote-path': Flags.string({ description: 'path on the remote', helpValue: 'PATH' }),
    repository: Flags.string({ description: 'folder or address of the repository', helpValue: 'PATH' }),
    'stacks-dir': Flags.string({ description: 'folder that holds one folder per stack', helpValue: 'PATH' }),
  }

  #written: string | null = null

  override async run(): Promise<void> {
    await super.run()
    if (this.#written === null) return
    const { afterConfiguration } = await import('../../ui/after-configuration.js')
    process.exitCode = await afterConfiguration({ file: this.#written, ...offeredBy(this.config) })
  }

  protected async act(): Promise<{ result: NewConfigurationResult; exitCode: number }> {
    const { flags } = await this.parse(ConfigInit)
    const output = flags.output ?? findConfigurationFile({ file: flags.config, environment: process.env }).file
    const { force, repository, remote, 'stacks-dir': stacksDirectory, 'password-file': passwordFile, 'generate-password': generatePassword, 'remote-path': remotePath } = flags
    const isAsked = this.mayAsk() && !generatePassword && [stacksDirectory, repository, passwordFile, remote, remotePath].every((value) => value === undefined)
    const answers = isAsked ? await this.#asked({ output, force }) : { output, stacksDirectory, repository, passwordFile, generatePassword, remote, remotePath, force }
    const outcome = initialiseConfiguration(this.facts(), { ...answers, environment: process.env, descriptors: descriptorsOf(await this.offers()) })
    if (isAsked) this.#written = outcome.result.file
    return outcome
  }

  async #asked(given: { readonly output: string; readonly force: boolean }): Promise<WizardAnswers> {
    const [{ askForConfiguration }, { run }] = await Promise.all([import('../../ui/configuration-wizard.js'), this.openRunInSpite()])
    return askForConfiguration(await firstLook(run), given)
  }

  protected present(result: NewConfigurationResult): string {
    return presentNewConfiguration(this.#written === null ? result : { ...result, nextSteps: result.nextSteps.slice(0, result.isPasswordNew ? 1 : 0) })
  }
}
