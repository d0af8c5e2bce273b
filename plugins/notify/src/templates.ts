import type { StackbkEvent } from '@stackbk/contract'

import { type Digest, digestOf, type Verdict } from './digest.js'

export type TemplateName = 'json' | 'slack' | 'discord' | 'ntfy' | 'gotify'

/** What is sent, and to which address. */
export interface Message {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const json = { 'content-type': 'application/json; charset=utf-8' }

/** Discord and Slack refuse longer texts, ntfy makes an attachment of them. */
const most = { slack: 3_000, discord: 4_000, ntfy: 3_900, gotify: 8_000 } as const

/** An event as the service takes it. */
export function messageFor(template: TemplateName, event: StackbkEvent, url: string): Message {
  const digest = digestOf(event)
  switch (template) {
    case 'json':
      return { url, headers: json, body: JSON.stringify(event) }
    case 'slack':
      return { url, headers: json, body: JSON.stringify({ text: cut(`${signs[digest.verdict]} *${forSlack(digest.title)}*\n${forSlack(digest.lines.join('\n'))}`, most.slack) }) }
    case 'discord':
      return { url, headers: json, body: JSON.stringify(forDiscord(digest)) }
    case 'ntfy':
      return { url, headers: { 'content-type': 'text/plain; charset=utf-8', title: forHeader(digest.title), priority: String(ntfyPriorities[digest.verdict]), tags: ntfyTags[digest.verdict] }, body: cut(digest.lines.join('\n'), most.ntfy) }
    case 'gotify':
      return { url: forGotify(url), headers: json, body: JSON.stringify({ title: digest.title, message: cut(digest.lines.join('\n'), most.gotify), priority: gotifyPriorities[digest.verdict] }) }
  }
}

const signs: Readonly<Record<Verdict, string>> = { ok: ':white_check_mark:', warning: ':warning:', failed: ':x:', test: ':information_source:' }
const colours: Readonly<Record<Verdict, number>> = { ok: 0x2e7d32, warning: 0xb26a00, failed: 0xc62828, test: 0x546e7a }
/** 1 to 5; https://docs.ntfy.sh/publish/#message-priority */
const ntfyPriorities: Readonly<Record<Verdict, number>> = { ok: 2, warning: 3, failed: 4, test: 3 }
const ntfyTags: Readonly<Record<Verdict, string>> = { ok: 'white_check_mark', warning: 'warning', failed: 'x', test: 'information_source' }
/** Above 7 a telephone rings; https://gotify.net/docs/msgextras */
const gotifyPriorities: Readonly<Record<Verdict, number>> = { ok: 2, warning: 5, failed: 8, test: 5 }

/** https://api.slack.com/reference/surfaces/formatting#escaping */
function forSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** No name in the text may call anybody (`@everyone`). */
function forDiscord({ title, lines, verdict }: Digest): object {
  return { embeds: [{ title: cut(title, 250), description: cut(lines.join('\n').replaceAll(/([\\*_~`|>])/g, '\\$1'), most.discord), color: colours[verdict] }], allowed_mentions: { parse: [] } }
}

/** Headers are ASCII; ntfy reads RFC 2047. */
function forHeader(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text.replaceAll(/[\r\n]/g, ' ')).toString('base64')}?=`
}

/** Gotify's own address has one way in. */
function forGotify(url: string): string {
  const [, path = url, query = ''] = /^([^?]*)(\?.*)?$/s.exec(url) ?? []
  return /\/message$/.test(path) ? url : `${path.replace(/\/+$/, '')}/message${query}`
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 2)} …`
}
