import { testNotifications, type NotifyTestResult } from '../../stages/notify-test.js'
import { Args } from '../../ui/command-line.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { presentNotifyTest } from '../../ui/present-notify-test.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

/** What `notify test` of the notify plugin calls: a plugin has no way to the configuration of its own. */
export default class NotifySendTest extends StackbkCommand<NotifyTestResult> {
  static override hidden = true
  static override summary = 'what notify test calls'
  static override description = exitCodeHelp([3, 'signals'], { 1: 'no notification was sent', 2: 'invalid usage or configuration, or an unknown NAME', 3: 'some notifications were not sent' })
  static override examples = ['<%= config.bin %> notify test']
  static override args = { name: Args.string({ description: 'of the section [notify:NAME]', ignoreStdin: true }) }

  protected override readonly calledAs = 'notify test'

  protected async act(): Promise<{ result: NotifyTestResult; exitCode: number }> {
    const { args } = await this.parse(NotifySendTest)
    return testNotifications(await this.openRun({ needs: ['notifications'], changes: false }), args.name)
  }

  protected present(result: NotifyTestResult): string {
    return presentNotifyTest(result)
  }
}
