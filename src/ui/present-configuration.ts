import { shellWord } from '@stackbk/contract'

import type { ConfigurationCheckResult, ConfigurationShowResult, NewConfigurationResult } from '../stages/configuration.js'
import type { ImportResult } from '../stages/import.js'
import { blocks, presentProblems } from './present-problems.js'
import { table } from './table.js'

/** `isNamed`: by `--config`, so that the next command has to name it too. */
export function presentCheck({ file, problems }: ConfigurationCheckResult, isNamed: boolean): string {
  const verdict = problems.length === 0 ? `${file} is valid` : `${file} is valid, with warnings`
  return blocks(presentProblems(problems), `${verdict}\nTo try it: stackbk doctor${isNamed ? ` --config ${shellWord(file)}` : ''}`)
}

/** A row a key, under its section. */
export function presentSettings({ file, settings, problems }: ConfigurationShowResult): string {
  const sections = [...new Set(settings.map(({ section }) => section))].map((section) => {
    const rows = settings.filter((setting) => setting.section === section).map(({ key, value, origin }) => [key, value ?? '-', origin])
    return `[${section}]\n${table(rows[0] ?? [], rows.slice(1))}`
  })
  return blocks(presentProblems(problems), `configuration: ${file}`, ...sections)
}

export function presentNewConfiguration({ file, previous, passwordFile, isPasswordNew, nextSteps, problems }: NewConfigurationResult): string {
  const written = [`written: ${file}`, ...(previous === null ? [] : [`the old one is kept: ${previous}`]), ...(isPasswordNew ? [`new password: ${passwordFile}`] : [])]
  return blocks(presentProblems(problems), written.join('\n'), steps(nextSteps))
}

export function presentImport(result: ImportResult): string {
  const { kind, source, target, previous, taken, putAside, remotes, problems, nextSteps } = result
  const lines = [
    `${source} was read as ${kind === 'rclone' ? 'an rclone configuration' : `a ${kind}`}`,
    `imported into ${target}: ${taken.length === 0 ? 'nothing' : taken.join(', ')}`,
    ...(previous === null ? [] : [`the old one is kept: ${previous}`]),
    ...(putAside.length === 0 ? [] : [`kept as comments: line ${putAside.join(', ')}`]),
    ...(remotes.length === 0 ? [] : [`remotes: ${remotes.join(', ')}`]),
  ]
  return blocks(presentProblems(problems), lines.join('\n'), steps(nextSteps))
}

function steps(texts: readonly string[]): string {
  return texts.map((text) => `next: ${text}`).join('\n')
}
