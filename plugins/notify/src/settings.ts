import { defineSettings, type SettingDeclaration } from '@stackbk/contract'

/** Both are the core's keys as well: here they are said as exactly as the type knows them. */
const webAddress = {
  section: 'notify',
  key: 'URL',
  type: 'string',
  // Whoever knows it may use it: it is a password.
  secret: true,
  required: true,
  pattern: { matches: '^https?://[^\\s/?#]+\\S*$', inWords: 'an address that begins with http:// or https://' },
} as const satisfies Omit<SettingDeclaration, 'help'>

const header = "\\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+\\s*:[^,]*"

export const webhookSettings = defineSettings([
  { ...webAddress, help: 'where to; `{secret}` in it stands for what SECRET_FILE holds' },
  { section: 'notify', key: 'TEMPLATE', type: 'choice', choices: ['json', 'slack', 'discord', 'ntfy', 'gotify'], default: 'json', help: 'webhook: what is sent: the event as JSON, or what this service takes' },
  { section: 'notify', key: 'HEADERS', type: 'string', secret: true, pattern: { matches: `^${header}(,${header})*$`, inWords: 'headers such as `X-Token: abc, X-Host: nas`' }, help: 'webhook: further headers, separated by commas; `{secret}` as in URL' },
])

export const emailSettings = defineSettings([
  { section: 'notify', key: 'URL', type: 'string', secret: true, required: true, pattern: { matches: '^smtps?://[^\\s/?#]+\\S*$', inWords: 'an address that begins with smtp:// or smtps://' }, help: 'mail server: `smtps://USER@HOST`, or `smtp://USER@HOST:PORT`' },
  { section: 'notify', key: 'FROM', type: 'string', required: true, pattern: { matches: '^[^\\r\\n]*[^\\s<>@]+@[^\\s<>@]+>?$', inWords: 'a mail address, such as `stackbk <stackbk@example.org>`' }, help: 'email: sender' },
  { section: 'notify', key: 'TO', type: 'list', required: true, help: 'email: receivers' },
])

export const pingSettings = defineSettings([
  { ...webAddress, help: 'address of the check, without `/start` or `/fail`, or with `{status}`, `{message}` and `{duration}` where the service wants them; `{secret}` in it stands for what SECRET_FILE holds' },
  { ...webAddress, key: 'URL_FAIL', required: false, help: 'ping: address for a run that failed, instead of `/fail` below URL; the same placeholders' },
  { ...webAddress, key: 'URL_START', required: false, help: 'ping: address for the start of a run, instead of `/start` below URL; the same placeholders' },
  { section: 'notify', key: 'RUNS', type: 'list', default: ['backup', 'sync', 'run'], help: 'ping: commands whose runs the check is for' },
])

export const textfileSettings = defineSettings([
  { section: 'notify', key: 'FILE', type: 'path', required: true, help: 'textfile: file with the figures, in the folder of the collector; its name has to end in `.prom`' },
])

export const commandSettings = defineSettings([
  { section: 'notify', key: 'COMMAND', type: 'string', required: true, help: 'command: program and arguments, without a shell' },
])
