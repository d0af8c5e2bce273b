import { StackbkError } from '../errors.js'

/**
 * How a text is written into a unit file so that systemd reads it back unchanged (systemd.syntax(7), systemd.service(5)).
 * Which characters have a meaning differs from key to key; `%` begins a specifier in all of them.
 */

/** For keys that take words with C-style escapes, such as `Environment=`. */
export function unitWord(text: string): string {
  assertOneLine(text)
  if (/^[\w/.:,@+-]+$/.test(text)) return text
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`
}

/** For `ExecStart=`, where `$` begins a variable besides. */
export function commandWord(text: string): string {
  return unitWord(text).replaceAll('$', '$$$$')
}

/** For `RequiresMountsFor=`: a backslash is itself there, so a quote is written in quotes of the other kind. */
export function pathWord(text: string): string {
  assertOneLine(text)
  const escaped = text.replaceAll('%', '%%')
  if (/^[\w/.:,@+%-]+$/.test(escaped)) return escaped
  return escaped.split('"').map((part) => (part === '' ? '' : `"${part}"`)).join(`'"'`)
}

/** For keys whose value is the whole rest of the line, such as `EnvironmentFile=`. */
export function plainText(text: string): string {
  assertOneLine(text)
  return text.replaceAll('%', '%%')
}

/** The unit of a mount point, as `systemd-escape --path --suffix=mount` names it. */
export function mountUnit(path: string): string {
  const bytes = Buffer.from(path.replace(/^\/+|\/+$/g, ''))
  const name = Array.from(bytes, (byte, index) => {
    const character = String.fromCharCode(byte)
    if (character === '/') return '-'
    const isPlain = /[A-Za-z0-9:_.]/.test(character) && !(character === '.' && index === 0)
    return isPlain ? character : `\\x${byte.toString(16).padStart(2, '0')}`
  }).join('')
  return `${name === '' ? '-' : name}.mount`
}

function assertOneLine(text: string): void {
  // eslint-disable-next-line no-control-regex
  if (!/[\u0000-\u001f\u007f]/.test(text)) return
  throw new StackbkError({
    kind: 'usage',
    code: 'not-schedulable',
    message: 'a path with a control character cannot be written into a schedule',
    detail: JSON.stringify(text),
    fix: 'Give it another name',
  })
}
