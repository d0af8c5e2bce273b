import { Command } from './command-line.js'

type InstallerCommand = 'plugins:inspect' | 'plugins:install' | 'plugins:link' | 'plugins:reset' | 'plugins:uninstall' | 'plugins:update'

/** A command that oclif's own plugin for plugins carries out, with the help and the checks of stackbk. It parses the flags. */
export abstract class PluginInstallerCommand extends Command {
  static override strict = false

  /** The other command parses; otherwise oclif warns. */
  override parsed = true

  /** The words that are not flags: these commands have no flag with a value. */
  protected get words(): readonly string[] {
    return this.argv.filter((word) => !word.startsWith('-'))
  }

  protected async carryOut(command: InstallerCommand, argv: readonly string[]): Promise<void> {
    const { commands } = await import('@oclif/plugin-plugins')
    const installer = commands[command] as unknown as { run: (argv: string[], config: unknown) => Promise<unknown> }
    await installer.run([...argv], this.config)
  }
}
