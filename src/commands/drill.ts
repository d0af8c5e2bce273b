import { Args, Flags } from '../ui/command-line.js'

import { drill } from '../stages/drill.js'
import type { DrillResult } from '../stages/drill/drill-result.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { presentDrill } from '../ui/present-drill.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Drill extends StackbkCommand<DrillResult> {
  static override summary = 'rehearse the disaster, without touching production'
  static override description = `The copy is fetched from the cloud into a scratch folder. Of each stack the newest good snapshot is brought back there, a sample of its files compared with the snapshot, and its containers started under other names, with no port, no network to the outside, no device, socket or path of this host. What cannot be rehearsed so is named. In the end all of it is removed.\n\n${exitCodeHelp([3, 4, 5, 6, 7, 10, 11, 12, 75, 'signals'], { 3: 'a stack, or a service of one, could not be drilled, or not be proven in isolation', 6: 'the data of a stack does not come back, or not in good health' })}`
  static override examples = ['<%= config.bin %> drill', '<%= config.bin %> drill blog --keep', '<%= config.bin %> drill --local']
  static override args = { stack: Args.string({ description: 'stacks; by default all that are enabled', ignoreStdin: true, multiple: true }) }
  static override flags = {
    keep: Flags.boolean({ default: false, description: 'leave it in place to be looked at, until the next drill' }),
    local: Flags.boolean({ default: false, description: 'from the local repository instead of the copy in the cloud' }),
    wait: lockWait(),
  }

  protected async act(): Promise<{ result: DrillResult; exitCode: number }> {
    const { args, flags } = await this.parse(Drill)
    const run = await this.openRun({ needs: flags.local ? ['repository', 'password'] : ['repository', 'password', 'remote'], wait: flags.wait })
    return drill(run, { names: args.stack ?? [], local: flags.local, keep: flags.keep })
  }

  protected present(result: DrillResult): string {
    return presentDrill(result)
  }
}
