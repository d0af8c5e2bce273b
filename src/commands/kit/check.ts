import { Args, Flags } from '../../ui/command-line.js'

import { checkKit, type KitCheckResult } from '../../stages/kit.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { givenPassphrase } from '../../ui/passphrase.js'
import { presentKitCheck } from '../../ui/present-kit.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class KitCheck extends StackbkCommand<KitCheckResult> {
  static override summary = 'prove that a disaster kit brings the repository back'
  static override description = `The kit is unpacked into an empty folder and used with an empty home and without this host's configuration: the copy is reached, its keys and lists are fetched, it is opened with the kit's password, and of each stack one file is read out of its newest snapshot. Nothing is left behind. Works on any host. A token of the remote that rclone renews meanwhile is written back to this host's rclone configuration, so that none is used up.\n\n${exitCodeHelp([3, 4, 5, 6, 75, 'signals'], { 5: 'the copy cannot be reached', 6: 'the kit does not bring the repository back, or the passphrase is wrong' })}`
  static override examples = ['<%= config.bin %> kit check /media/stick/stackbk.age', '<%= config.bin %> kit check kit.age --passphrase-file /root/passphrase --json']
  static override args = { file: Args.string({ description: 'the kit', ignoreStdin: true, required: true }) }
  static override flags = { 'passphrase-file': Flags.string({ description: 'file that holds the passphrase; its last newline does not count', helpValue: 'FILE' }) }

  protected async act(): Promise<{ result: KitCheckResult; exitCode: number }> {
    const { args, flags } = await this.parse(KitCheck)
    const run = await this.openRun({ needs: [], whenMissing: 'defaults' })
    return checkKit(run, { file: args.file, passphrase: () => givenPassphrase(flags['passphrase-file'], this.askable) })
  }

  protected present(result: KitCheckResult): string {
    return presentKitCheck(result)
  }
}
