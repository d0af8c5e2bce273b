import type { Problem } from '../../errors.js'
import { html, type Html } from './html.js'

/** What is wrong, and what to do. */
export function problemList(problems: readonly Problem[]): Html {
  if (problems.length === 0) return html``
  const items = problems.map(({ severity, stack, message, fix }) => html`<li class="${severity === 'error' ? 'bad' : 'warn'}"><strong>${severity === 'error' ? 'Error' : 'Warning'}${stack === undefined ? '' : `, ${stack}`}:</strong> ${message}${fix === '' ? '' : html`<br><span class="soft">${fix}</span>`}</li>`)
  return html`<ul class="problems">${items}</ul>`
}
