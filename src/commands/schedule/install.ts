import { join } from 'node:path'

import { Flags } from '../../ui/command-line.js'

import { descriptorsOf } from '../../stages/configuration.js'
import { installSchedule, type ScheduleInstallResult } from '../../stages/schedule.js'
import { environmentOfUnit } from '../../stages/schedule/surroundings.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { presentScheduleInstall } from '../../ui/present-schedule.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class ScheduleInstall extends StackbkCommand<ScheduleInstallResult> {
  static override summary = 'run every night, and start stacks left stopped after a boot'
  static override description = `Installs a systemd timer and service for 'stackbk run', and a unit that calls 'stackbk resume' at boot once the engine and the disks of all stacks are available. Run it again after the program, the configuration or the disk of a stack has moved. Environment variables that tools need go into a file 'environment' next to the configuration.\n\n${exitCodeHelp([4, 75, 'signals'], { 0: 'installed', 1: 'systemd or cron refused it', 2: 'an invalid time or an invalid configuration; nothing was written', 4: 'there is no systemd, or no cron', 75: 'another stackbk is changing the schedule' })}`
  static override examples = ['<%= config.bin %> schedule install', "<%= config.bin %> schedule install --at '*-*-* 03:15:00'", "<%= config.bin %> schedule install --cron --at '30 2 * * *'", '<%= config.bin %> schedule install --verify weekly --drill monthly']
  static override flags = {
    at: Flags.string({ description: "time in systemd format, with --cron also in cron format (default: the present time, or '*-*-* 02:30:00')", helpValue: 'CALENDAR' }),
    cron: Flags.boolean({ default: false, description: 'write lines in your crontab instead of systemd units' }),
    drill: Flags.string({ description: "also run 'stackbk drill' at this time; 'none' ends that (default: unchanged)", helpValue: 'CALENDAR' }),
    print: Flags.boolean({ default: false, description: 'print each file below a comment with its name, write nothing' }),
    user: Flags.boolean({ default: false, description: "use the systemd of this user" }),
    verify: Flags.string({ description: "also run 'stackbk verify' at this time; 'none' ends that (default: unchanged)", helpValue: 'CALENDAR' }),
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
