import { join } from 'node:path'

import { Flags } from '../../ui/command-line.js'

import { descriptorsOf } from '../../stages/configuration.js'
import { installSchedule, type ScheduleInstallResult } from '../../stages/schedule.js'
import { environmentOfUnit } from '../../stages/schedule/surroundings.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { presentScheduleInstall } from '../../ui/present-schedule.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ScheduleInstall extends StackbkCommand<ScheduleInstallResult> {
  static override summary = 'have stackbk run every night, and start after a boot what was left stopped'
  static override description = `A systemd timer and service for 'stackbk run', and a unit that calls 'stackbk resume' at boot when the engine and the disks of all stacks are there. With --cron lines in the crontab instead. Called again, it brings up to date what is there: do so when the program, the configuration or a stack's disk has moved. The configuration is checked first. Variables that tools need, and that may hold secrets, go into a file 'environment' beside the configuration.\n\n${exitCodeHelp([4, 75, 'signals'], { 0: 'it is in place', 1: 'systemd or cron does not take it', 2: 'a time that is none, or a configuration that does not check: nothing was written', 4: 'there is no systemd, or no cron', 75: 'another stackbk is changing the schedule' })}`
  static override examples = ['<%= config.bin %> schedule install', "<%= config.bin %> schedule install --at '*-*-* 03:15:00'", "<%= config.bin %> schedule install --user --at 'Mon..Fri 22:00'", "<%= config.bin %> schedule install --cron --at '30 2 * * *'", '<%= config.bin %> schedule install --verify weekly --drill monthly', '<%= config.bin %> schedule install --print']
  static override flags = {
    at: Flags.string({ description: "when, as systemd writes it, with --cron also as cron does (default: as it is, else '*-*-* 02:30:00')", helpValue: 'CALENDAR' }),
    cron: Flags.boolean({ default: false, description: 'lines in the crontab of whoever calls this' }),
    drill: Flags.string({ description: "also run 'stackbk drill' at this time; 'none' ends that (default: as it is, else never)", helpValue: 'CALENDAR' }),
    print: Flags.boolean({ default: false, description: 'print every unit under a comment line with its file name; write nothing' }),
    user: Flags.boolean({ default: false, description: "units of this user's own systemd" }),
    verify: Flags.string({ description: "also run 'stackbk verify' at this time; 'none' ends that (default: as it is, else never)", helpValue: 'CALENDAR' }),
  }

  #isPrint = false

  protected async act(): Promise<{ result: ScheduleInstallResult; exitCode: number }> {
    const { flags } = await this.parse(ScheduleInstall)
    this.#isPrint = flags.print
    this.isVerbatim = flags.print
    const environment = environmentOfUnit({ file: flags.config, environment: process.env, descriptors: descriptorsOf(await this.offers()) })
    const run = await this.openRun({ needs: ['stacks', 'repository', 'password', 'remote-if-any'], changes: false, dryRun: flags.print, environment })
    const program = [process.execPath, join(this.config.root, 'bin', 'run.js')]
    return installSchedule(run, { ...flags, at: flags.at, verify: flags.verify, drill: flags.drill, environment: process.env, program, dataFolder: this.config.dataDir })
  }

  protected present(result: ScheduleInstallResult): string {
    return presentScheduleInstall(result, this.#isPrint)
  }
}
