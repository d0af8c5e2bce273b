import type { Problem } from '../errors.js'
import { type Catalogue, isNameOf } from './catalogue.js'
import { type FileProblem, problemAt, typeOf } from './file-checks.js'
import type { IniEntry, IniFile } from './ini-file.js'

const secretLikeName = /(?:^|_)(?:PASSWORD|PASSPHRASE|PASSWD|SECRET|TOKEN|API_KEY|ACCESS_KEY)$/
const passwordInAddress = /([a-z][\w+.-]*:\/\/[^/\s:@]*:)([^/\s@]+)(@)/gi

/** Who else may read or write the file, against what is in it. */
export function checkPermissions(request: { file: string; mode: number; ini: IniFile; catalogue: Catalogue }): FileProblem[] {
  const { file, mode, ini, catalogue } = request
  const octal = `0${mode.toString(8)}`
  const secret = ini.entries.find((entry) => holdsSecret(entry, ini, catalogue))
  const problems: Omit<Problem & { line: number }, 'stack'>[] = []
  if ((mode & 0o044) !== 0 && secret !== undefined) {
    problems.push({
      severity: 'error',
      code: 'config-readable',
      line: 0,
      message: `its group or other users can read it (mode ${octal}), and it holds a secret: ${secret.key} in line ${secret.line}`,
      fix: `Run: chmod 600 ${file}`,
    })
  }
  if ((mode & 0o002) !== 0) {
    problems.push({
      severity: 'warning',
      code: 'config-writable',
      line: 0,
      message: `anyone can change it (mode ${octal}), and with it the commands that it names`,
      fix: `Run: chmod 600 ${file}`,
    })
  }
  return problems.map((problem) => problemAt(file, problem))
}

/** The password in an address is masked, the rest stays. */
export function redactAddress(text: string): string {
  return text.replaceAll(passwordInAddress, '$1********$3')
}

/** A key that nobody declares (its plugin may not be loaded) is judged by its name. */
function holdsSecret(entry: IniEntry, ini: IniFile, catalogue: Catalogue): boolean {
  if (entry.value === '') return false
  if (redactAddress(entry.value) !== entry.value) return true
  const sections = ini.format === 'flat' ? catalogue.plainSections : [entry.section]
  const declaration = sections
    .flatMap((section) => catalogue.declarationsOf(section, typeOf(ini, section)))
    .find((candidate) => isNameOf(candidate, entry.key, ini.format))
  return declaration === undefined ? secretLikeName.test(entry.key) : declaration.secret === true
}
