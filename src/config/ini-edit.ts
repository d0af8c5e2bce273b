import { parseIni, writeValue } from './ini-file.js'

/**
 * Sets one key in a configuration's text: in the line that gives it, else at the end of its section, else in a new section
 * at the end. Every other line stays as it is, byte for byte. In the flat form, which has no sections, at the end.
 */
export function setEntry(text: string, entry: { readonly section: string; readonly key: string; readonly value: string }): string {
  const { section, key, value } = entry
  const ini = parseIni(text)
  const lineEnd = /^[^\n]*\r\n/.test(text) ? '\r\n' : '\n'
  const isFlat = ini.format === 'flat' && ini.entries.length > 0
  const written = `${key}=${writeValue(value)}`
  const lines = text.split('\n')

  const present = ini.entries.findLast((candidate) => candidate.key === key && (isFlat || candidate.section === section))
  if (present) {
    const carriageReturn = lines[present.line - 1]?.endsWith('\r') ? '\r' : ''
    return lines.with(present.line - 1, `${written}${present.comment === '' ? '' : ` ${present.comment}`}${carriageReturn}`).join('\n')
  }
  const heading = ini.sections.findLast(({ name }) => name === section)
  if (heading) {
    const inSection = ini.entries.filter((candidate) => candidate.section === section && candidate.line > heading.line)
    const at = inSection.at(-1)?.line ?? heading.line
    const isLastLine = at === lines.length
    return lines.toSpliced(at, 0, isLastLine ? written : `${written}${lineEnd === '\r\n' ? '\r' : ''}`).join('\n')
  }
  const begin = text === '' || text.endsWith('\n') ? text : `${text}${lineEnd}`
  if (isFlat) return `${begin}${written}${lineEnd}`
  return `${begin}${begin === '' ? '' : lineEnd}[${section}]${lineEnd}${written}${lineEnd}`
}
