import { children, record, text, texts } from './json.js'

const mask = '********'

/** Shorter ones would hit ordinary text everywhere. */
const shortestHidden = 4

/**
 * Values of environments, which docker and Compose repeat in their errors now and then: learnt from the containers and the
 * models that were looked at, and taken out of what is said afterwards. A value that is a name in the same stack stays, since
 * an error without the name of the service that it is about helps nobody.
 */
export class Confidential {
  readonly #values = new Set<string>()
  readonly #names = new Set<string>()

  /** From the engine's own description of a container. */
  learnContainer(description: unknown): void {
    const container = record(description)
    const config = record(container['Config'])
    this.#spare([text(container['Name']).replace(/^\//, ''), text(config['Image']), ...Object.values(texts(config['Labels']))])
    const entries = Array.isArray(config['Env']) ? config['Env'] : []
    for (const entry of entries) this.#hide(text(entry).replace(/^[^=]*=?/, ''))
  }

  /** From a model as Compose prints it. */
  learnModel(model: unknown): void {
    const services = children(record(model)['services'])
    this.#spare([text(record(model)['name']), ...services.flatMap(([name, definition]) => [name, text(definition['image']), text(definition['container_name'])])])
    // Compose doubles a dollar sign when it prints a model.
    for (const [, definition] of services) for (const value of Object.values(texts(definition['environment']))) this.#hide(value.replaceAll('$$', '$'))
  }

  /** The line without any of them, where they stand as words of their own. */
  hideIn(line: string): string {
    let hidden = line
    for (const value of this.#values) {
      if (hidden.includes(value) && !this.#names.has(value)) hidden = hidden.replaceAll(asWord(value), mask)
    }
    return hidden
  }

  #hide(value: string): void {
    for (const part of value.split('\n')) {
      if (part.length >= shortestHidden && !isEveryday(part)) this.#values.add(part)
    }
  }

  #spare(names: readonly string[]): void {
    for (const name of names) this.#names.add(name)
  }
}

/** Numbers, switches and paths are no secrets and stand everywhere. */
function isEveryday(value: string): boolean {
  return /^[\d.]+$/.test(value) || /^(true|false|none|null)$/i.test(value) || value.startsWith('/')
}

function asWord(value: string): RegExp {
  return new RegExp(`(?<![\\w-])${value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`, 'g')
}

/**
 * What Compose quotes of a file that it cannot make sense of: there nobody could learn the value before. One for each call,
 * since a value may go over several lines.
 */
export function withoutQuotedValues(): (line: string) => string {
  let isInsideValue = false
  return (line) => {
    if (/invalid interpolation format for \S+/.test(line)) {
      isInsideValue = true
      return line
    }
    if (isInsideValue) return line.startsWith('You may need to escape') ? line : ''
    return line
      .replace(/(in variable name ").*(")/, `$1${mask}$2`)
      .replace(/(unterminated quoted value ).*/, `$1${mask}`)
      .replace(/(Invalid template: ").*(")/i, `$1${mask}$2`)
  }
}
