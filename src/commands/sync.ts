import { Flags } from '../ui/command-line.js'

import { sync } from '../stages/sync.js'
import type { SyncResult } from '../stages/sync/sync-result.js'
import { presentSync } from '../ui/present-sync.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Sync extends StackbkCommand<SyncResult> {
  static override summary = 'copy the repository to the cloud'
  static override description = `Uploads in an order that keeps the copy valid at every moment. Deletes last, and only what stackbk itself has forgotten.\n\n${exitCodeHelp([3, 4, 5, 6, 7, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> sync', '<%= config.bin %> sync --test', '<%= config.bin %> sync --dry-run --json', '<%= config.bin %> sync --allow-new-remote']
  static override flags = {
    'accept-repository': Flags.boolean({ default: false, description: 'accept another repository or disk at its location' }),
    'allow-delete': Flags.boolean({ description: 'override the deletion guards for this run' }),
    'allow-new-remote': Flags.boolean({ description: 'start anew on an empty remote, or go on with an older copy' }),
    'dry-run': Flags.boolean({ char: 'n', description: 'show what would be done, change nothing' }),
    test: Flags.boolean({ description: 'only test whether the remote can be reached' }),
    wait: lockWait(),
  }

  #isTest = false

  protected async act(): Promise<{ result: SyncResult; exitCode: number }> {
    const { flags } = await this.parse(Sync)
    this.#isTest = flags.test
    const run = await this.openRun({
      wait: flags.wait,
      needs: flags.test ? ['remote'] : ['repository', 'password', 'remote'],
      dryRun: flags['dry-run'],
      changes: !flags.test,
    })
    return sync(run, { test: flags.test, allowDelete: flags['allow-delete'], allowNewRemote: flags['allow-new-remote'], acceptRepository: flags['accept-repository'] })
  }

  protected present(result: SyncResult): string {
    return presentSync(result, { isTest: this.#isTest })
  }
}
