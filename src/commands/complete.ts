import { stateFolder } from '../host/state-folder.js'
import { knownSnapshots, knownStacks } from '../stages/completion.js'
import { Command } from '../ui/command-line.js'
import { complete, type CompletableCommand } from '../ui/completion.js'
import { withLocalTimes } from '../ui/local-time.js'

/** What the scripts of `completion` ask at each Tab. Says nothing where there is nothing to say, whatever is wrong. */
export default class Complete extends Command {
  static override hidden = true
  static override summary = 'what may stand at the place of the last word'
  static override description = 'For the scripts of completion.\n\nEXIT CODES\n0 always'
  static override examples = ['<%= config.bin %> complete -- recover ""']
  static override strict = false

  override run(): Promise<void> {
    const words = this.argv.slice(this.argv.indexOf('--') + 1)
    const found = complete(words, this.#commands(), { stacks: (config) => knownStacks(config, process.env), snapshots: () => knownSnapshots(stateFolder(process.env)) })
    const lines = found.kind === 'values' ? found.candidates.map(({ value, description }) => `${value}\t${withLocalTimes(description)}`) : []
    process.stdout.write(`${[found.kind, ...lines].join('\n')}\n`)
    return Promise.resolve()
  }

  #commands(): CompletableCommand[] {
    const spoken = (id: string): string => id.replaceAll(':', ' ')
    return this.config.commands
      .filter(({ hidden }) => !hidden)
      .map(({ id, summary, description, aliases, hiddenAliases, args, flags, strict }) => ({
        name: spoken(id),
        summary: (summary ?? description?.split('\n')[0] ?? '').replaceAll('<%= config.bin %>', this.config.bin),
        aliases: [...aliases, ...hiddenAliases].map(spoken),
        args,
        flags: flags,
        isOpen: strict === false,
      }))
  }
}
