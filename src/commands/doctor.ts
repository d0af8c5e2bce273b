import { doctor, type DoctorResult } from '../stages/doctor.js'
import { presentDoctor } from '../ui/present-doctor.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Doctor extends StackbkCommand<DoctorResult> {
  static override summary = 'check everything that a run needs'
  static override description = `Checks tools and versions, permissions, space, repository, remote, plugins, leftovers and schedule. Also works without a configuration.\n\n${exitCodeHelp([4, 'signals'], { 0: 'all is well', 1: 'something is wrong', 2: 'invalid usage' })}`
  static override hiddenAliases = ['health']
  static override examples = ['<%= config.bin %> doctor', '<%= config.bin %> doctor --json']

  #isVerbose = false

  protected async act(): Promise<{ result: DoctorResult; exitCode: number }> {
    const { flags } = await this.parse(Doctor)
    this.#isVerbose = flags.verbose
    const { run, offers, findings } = await this.openRunInSpite()
    return doctor(run, offers, findings, this.config.dataDir)
  }

  protected present(result: DoctorResult): string {
    return presentDoctor(result, { isVerbose: this.#isVerbose })
  }
}
