import { type ScheduleShowResult, showSchedule } from '../../stages/schedule.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { presentScheduleShow } from '../../ui/present-schedule.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ScheduleShow extends StackbkCommand<ScheduleShowResult> {
  static override summary = 'show the schedule and the next run'
  static override description = `Shows the timer of the system, your own timer and your crontab. Changes nothing.\n\n${exitCodeHelp(['signals'], { 0: 'shown, even if there is none', 2: 'invalid usage' })}`
  static override examples = ['<%= config.bin %> schedule show', '<%= config.bin %> schedule show --json']

  protected async act(): Promise<{ result: ScheduleShowResult; exitCode: number }> {
    await this.parse(ScheduleShow)
    const { run } = await this.openRunInSpite()
    return showSchedule(run, process.env)
  }

  protected present(result: ScheduleShowResult): string {
    return presentScheduleShow(result)
  }
}
