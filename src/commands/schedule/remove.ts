import { removeSchedule, type ScheduleRemoveResult } from '../../stages/schedule.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { presentScheduleRemove } from '../../ui/present-schedule.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ScheduleRemove extends StackbkCommand<ScheduleRemoveResult> {
  static override summary = 'take the schedule away: units and crontab lines that install wrote'
  static override description = `A run at work goes on. The system's timer goes for root, one's own timer and one's own crontab's lines for everybody; the other lines of the crontab stay. Without any schedule there is nothing to do.\n\n${exitCodeHelp([4, 75, 'signals'], { 0: 'none is left', 1: 'systemd or cron does not do it', 2: 'wrong usage', 4: 'systemctl is missing', 75: 'another stackbk is changing the schedule' })}`
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
