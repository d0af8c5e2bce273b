import { removeSchedule, type ScheduleRemoveResult } from '../../stages/schedule.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { presentScheduleRemove } from '../../ui/present-schedule.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ScheduleRemove extends StackbkCommand<ScheduleRemoveResult> {
  static override summary = 'remove the schedule: units and crontab lines of install'
  static override description = `A run in progress continues. Root removes the timer of the system; every user removes their own timer and the lines in their own crontab. Other lines of the crontab stay.\n\n${exitCodeHelp([4, 75, 'signals'], { 0: 'removed, or there was none', 1: 'systemd or cron refused it', 2: 'invalid usage', 4: 'systemctl is missing', 75: 'another stackbk is changing the schedule' })}`
  static override examples = ['<%= config.bin %> schedule remove']

  protected async act(): Promise<{ result: ScheduleRemoveResult; exitCode: number }> {
    await this.parse(ScheduleRemove)
    const { run } = await this.openRunInSpite()
    return removeSchedule(run, process.env)
  }

  protected present(result: ScheduleRemoveResult): string {
    return presentScheduleRemove(result)
  }
}
