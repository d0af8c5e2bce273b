import { Args, Flags } from '../../ui/command-line.js'

import { checkKit, type KitCheckResult } from '../../stages/kit.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { givenPassphrase } from '../../ui/passphrase.js'
import { presentKitCheck } from '../../ui/present-kit.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class KitCheck extends StackbkCommand<KitCheckResult> {
  static override summary = 'prove that a disaster kit brings the repository back'
  static override description = `Works on any host and leaves nothing behind. The kit is unpacked into an empty folder and used without this host's configuration: the copy is opened with the kit's password, and one file of each stack is read from its latest snapshot. If rclone renews a token of the remote meanwhile, the new one also goes into this host's rclone configuration.\n\n${exitCodeHelp([3, 4, 5, 6, 75, 'signals'], { 5: 'the copy cannot be reached', 6: 'the kit does not bring the repository back, or the passphrase is wrong' })}`
  static override examples = ['<%= config.bin %> kit check /media/stick/stackbk.age', '<%= config.bin %> kit check kit.age --passphrase-file /root/passphrase --json']
  static override args = { file: Args.string({ description: 'kit to check', ignoreStdin: true, required: true }) }
  static override flags = { 'passphrase-file': Flags.string({ description: 'file that holds the passphrase (a final newline is ignored)', helpValue: 'FILE' }) }

  protected async act(): Promise<{ result: KitCheckResult; exitCode: number }> {
    const { args, flags } = await this.parse(KitCheck)
    const run = await this.openRun({ needs: [], whenMissing: 'defaults' })
    return checkKit(run, { file: args.file, passphrase: () => givenPassphrase(flags['passphrase-file'], this.askable) })
  }

  protected present(result: KitCheckResult): string {
    return presentKitCheck(result)
  }
}
