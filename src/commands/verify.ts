import { Flags } from '../ui/command-line.js'

import { verify, type VerifyResult } from '../stages/verify.js'
import { lockWait, percentage } from '../ui/flag-values.js'
import { presentVerify } from '../ui/present-verify.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Verify extends StackbkCommand<VerifyResult> {
  static override summary = 'check the repository, or the copy in the cloud'
  static override description = `The local repository is checked by the engine. With --cloud the remote's files are read and compared with their names, for which no password is needed.\n\n${exitCodeHelp([3, 4, 5, 6, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> verify', '<%= config.bin %> verify --read-data-subset 5%', '<%= config.bin %> verify --cloud --repair']
  static override flags = {
    cloud: Flags.boolean({ description: "the remote's files instead of the local ones" }),
    'read-data-subset': percentage({ description: 'read this share of the data (of the remote: all by default)' }),
    repair: Flags.boolean({ default: false, description: 'replace rotten files by sound ones of the other side' }),
    wait: lockWait(),
  }

  protected async act(): Promise<{ result: VerifyResult; exitCode: number }> {
    const { flags } = await this.parse(Verify)
    const run = await this.openRun({ needs: flags.cloud ? ['remote'] : ['repository', 'password'], changes: flags.repair, wait: flags.wait })
    return verify(run, { percent: flags['read-data-subset'], cloud: flags.cloud, repair: flags.repair })
  }

  protected present(result: VerifyResult): string {
    return presentVerify(result)
  }
}
