import { Args, Flags } from '../../ui/command-line.js'

import type { Offers } from '../../providers/offers.js'
import { type KitWriteResult, writeKit } from '../../stages/kit.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { newPassphrase } from '../../ui/passphrase.js'
import { presentKitWrite } from '../../ui/present-kit.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

/** Plugins that do not come with stackbk, of which something is provided. */
function installedIn({ plugins, usable }: Offers): readonly string[] {
  return plugins.filter(({ origin, name }) => origin !== 'bundled' && usable.some(({ plugin }) => plugin === name)).map(({ name, version }) => `${name} ${version}`)
}

export default class KitWrite extends StackbkCommand<KitWriteResult> {
  static override summary = 'write all that a bare host needs into one encrypted file'
  static override description = `The repository password, the configuration of the way to the cloud, stackbk's own configuration and the dirlist, in a tar encrypted with a passphrase in age format. Beside it, as FILE.txt, a page to print, with no secret in it, that says how to get everything back with stackbk and without. It also says where stackbk comes from: with --with-program from the kit itself.\n\n${exitCodeHelp([4, 10, 11, 12, 'signals'])}`
  static override examples = ['<%= config.bin %> kit write /media/stick/stackbk.age', '<%= config.bin %> kit write /media/stick/stackbk.age --with-program', '<%= config.bin %> kit write kit.age --passphrase-file /root/passphrase']
  static override args = { file: Args.string({ description: 'the kit to write; an older kit there is replaced', ignoreStdin: true, required: true }) }
  static override flags = {
    'with-program': Flags.boolean({ description: 'put stackbk itself into the kit, as a tarball of about 12 MB' }),
    'passphrase-file': Flags.string({ description: 'file that holds the passphrase; its last newline does not count', helpValue: 'FILE' }),
  }

  protected async act(): Promise<{ result: KitWriteResult; exitCode: number }> {
    const { args, flags } = await this.parse(KitWrite)
    const run = await this.openRun({ needs: ['repository', 'password', 'remote'] })
    return writeKit(run, { file: args.file, passphrase: () => newPassphrase(flags['passphrase-file'], this.askable), version: this.config.version, root: this.config.root, withProgram: flags['with-program'], plugins: installedIn(await this.offers()) })
  }

  protected present(result: KitWriteResult): string {
    return presentKitWrite(result)
  }
}
