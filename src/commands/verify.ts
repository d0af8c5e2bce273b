import { Flags } from '../ui/command-line.js'

import { verify, type VerifyResult } from '../stages/verify.js'
import { lockWait, percentage } from '../ui/flag-values.js'
import { presentVerify } from '../ui/present-verify.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Verify extends StackbkCommand<VerifyResult> {
  static override summary = 'check the repository, or the copy in the cloud'
  static override description = `The engine checks the local repository. With --cloud, the files of the remote are read and compared with the checksums in their names; this needs no password. With --wait, other runs wait for the check as well, since it locks the repository.\n\n${exitCodeHelp([3, 4, 5, 6, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> verify', '<%= config.bin %> verify --read-data-subset 5%', '<%= config.bin %> verify --cloud --repair']
  static override flags = {
    cloud: Flags.boolean({ description: "check the files of the remote instead of the local ones" }),
    'read-data-subset': percentage({ description: 'read this share of the data (remote: all by default)' }),
    repair: Flags.boolean({ default: false, description: 'repair corrupt files from the other copy' }),
    wait: lockWait(),
  }

  protected async act(): Promise<{ result: VerifyResult; exitCode: number }> {
    const { flags } = await this.parse(Verify)
    const run = await this.openRun({ needs: flags.cloud ? ['remote'] : ['repository', 'password'], changes: flags.repair, wait: flags.wait })
    return verify(run, { percent: flags['read-data-subset'], cloud: flags.cloud, repair: flags.repair, waits: flags.wait !== undefined })
  }

  protected present(result: VerifyResult): string {
    return presentVerify(result)
  }
}
