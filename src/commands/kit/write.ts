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
  static override summary = 'write everything a fresh host needs into one encrypted file'
  static override description = `The kit holds the repository password, the access to the cloud, the configuration and the dirlist, in a tar encrypted in age format with a passphrase. FILE.txt next to it is a page to print, without secrets, that says how to get everything back with and without stackbk, and where stackbk comes from.\n\n${exitCodeHelp([4, 10, 11, 12, 'signals'])}`
  static override examples = ['<%= config.bin %> kit write /media/stick/stackbk.age', '<%= config.bin %> kit write /media/stick/stackbk.age --with-program', '<%= config.bin %> kit write kit.age --passphrase-file /root/passphrase']
  static override args = { file: Args.string({ description: 'kit to write; an older kit there is replaced', ignoreStdin: true, required: true }) }
  static override flags = {
    'with-program': Flags.boolean({ description: 'also put stackbk itself into the kit (about 12 MB)' }),
    'passphrase-file': Flags.string({ description: 'file that holds the passphrase (a final newline is ignored)', helpValue: 'FILE' }),
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
