import { Flags } from '../ui/command-line.js'

import { resume, type ResumeResult } from '../stages/resume.js'
import { presentResume } from '../ui/present-resume.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Resume extends StackbkCommand<ResumeResult> {
  static override summary = 'finish what an interrupted run left undone'
  static override description = `Ends tools that are left of a killed run and starts the stacks that it left stopped, with exactly the services that ran. Every command that changes something does this first.\n\n${exitCodeHelp([3, 4, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> resume', '<%= config.bin %> resume --force nextcloud']
  static override flags = {
    discard: Flags.string({ description: 'forget that this stack was left stopped; start nothing', helpValue: 'STACK' }),
    force: Flags.string({ description: 'start this stack even if it has been changed since', helpValue: 'STACK' }),
    wait: lockWait(),
  }

  protected async act(): Promise<{ result: ResumeResult; exitCode: number }> {
    const { flags } = await this.parse(Resume)
    return resume(await this.openRunForResume(flags.wait), flags)
  }

  protected present(result: ResumeResult): string {
    return presentResume(result)
  }
}
