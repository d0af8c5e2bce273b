import { Args, Flags } from '../ui/command-line.js'

import { drill } from '../stages/drill.js'
import type { DrillResult } from '../stages/drill/drill-result.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { presentDrill } from '../ui/present-drill.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Drill extends StackbkCommand<DrillResult> {
  static override summary = 'test a full recovery, isolated from production'
  static override description = `Downloads the copy from the cloud into a scratch folder. From there, the latest good snapshot of each stack is extracted, a sample of its files is compared with the snapshot, and its containers are started under other names, without ports, outside networks, devices, sockets or paths of this host. What cannot be tested like this is listed. In the end everything is removed.\n\n${exitCodeHelp([3, 4, 5, 6, 7, 10, 11, 12, 75, 'signals'], { 3: 'a stack or a service could not be tested, or not in isolation', 6: 'the data of a stack cannot be recovered, or the stack is not healthy' })}`
  static override examples = ['<%= config.bin %> drill', '<%= config.bin %> drill blog --keep', '<%= config.bin %> drill --local']
  static override args = { stack: Args.string({ description: 'stacks to test (default: all enabled)', ignoreStdin: true, multiple: true }) }
  static override flags = {
    keep: Flags.boolean({ default: false, description: 'keep everything for inspection until the next drill' }),
    local: Flags.boolean({ default: false, description: 'use the local repository instead of the copy in the cloud' }),
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
