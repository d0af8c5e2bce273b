import type { StackbkEvent } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { digestOf } from '../src/digest.js'
import { mailOf, serverOptions } from '../src/email.js'
import { messageFor, type TemplateName } from '../src/templates.js'
import { finished, stack } from './fixtures.js'

const failed = finished({
  exitCode: 3,
  result: { status: 'partial', startedAt: '2026-01-02T03:04:05.000Z', durationMs: 90_000, problems: [{ severity: 'error', code: 'x', message: 'it <broke> & @everyone\nsaw', fix: 'Run: stackbk doctor', stack: 'blög' }], stacks: [stack('web'), stack('blög', { status: 'failed', snapshot: null, downtimeMs: null })] },
  log: 'the last line',
})
const bodyOf = (template: TemplateName, event: StackbkEvent): Record<string, unknown> => JSON.parse(messageFor(template, event, 'https://x.example/hook').body) as Record<string, unknown>

describe('a digest', () => {
  it('says in its title which host, what, and how it went', () => {
    expect(digestOf(finished()).title).toBe('stackbk backup on nas: ok')
    expect(digestOf(failed).title).toBe('stackbk backup on nas: partial (blög)')
    expect(digestOf(finished({ result: { status: 'ok', problems: [{ severity: 'warning', message: 'm' }] } })).title).toBe('stackbk backup on nas: ok, 1 warning')
    expect(digestOf(finished({ isTest: true })).title).toBe('stackbk backup on nas: a test')
  })

  it('has a line a stack, a line a problem, and when it was', () => {
    expect(digestOf(failed).lines).toEqual([
      'web: ok (down 1.5 s, new 2.0 KiB)',
      'blög: failed',
      'error: blög: it <broke> & @everyone; saw (Run: stackbk doctor)',
      'begun 2026-01-02 03:04:05 UTC, took 90.0 s, exit code 3, run 20260102T030405Z-abcdef',
    ])
  })

  it('of a whole run has the stacks of its backup and what its sync sent', () => {
    const { lines } = digestOf(finished({ command: 'run', result: { status: 'ok', problems: [], backup: { stacks: [stack('web')] }, sync: { remote: 'cloud:/b', uploaded: { files: 3, bytes: 5 } } } }))
    expect(lines).toEqual(['web: ok (down 1.5 s, new 2.0 KiB)', 'uploaded to cloud:/b: 3 files, 5 B', 'exit code 0, run 20260102T030405Z-abcdef'])
  })

  it('of a hundred stacks counts those that nobody reads on a telephone', () => {
    const { lines } = digestOf(finished({ result: { status: 'ok', problems: [], stacks: Array.from({ length: 100 }, (_, index) => stack(`s${index}`)) } }))
    expect([lines.length, lines[20]]).toEqual([22, '... and 80 more'])
  })

  it.each([undefined, null, 'text', [], { stacks: 'none', problems: [null, 7], status: 4 }, { stacks: [null, { name: 5 }] }])('reads %j without an error', (result) => {
    expect(digestOf(finished({ result })).title).toMatch(/^stackbk backup on nas: /)
  })
})

describe('a template', () => {
  it('of none is the event itself', () => {
    expect(bodyOf('json', failed)).toEqual(failed)
  })

  it('for Slack escapes what Slack would take for a link or a call', () => {
    expect(bodyOf('slack', failed)).toEqual({ text: expect.stringMatching(/^:x: \*stackbk backup on nas: partial \(blög\)\*\nweb: ok[^]*it &lt;broke&gt; &amp; @everyone/) as string })
  })

  it('for Discord calls nobody, and takes no name for markup', () => {
    const event = finished({ exitCode: 1, result: { status: 'failed', problems: [], stacks: [stack('a_b*c')] } })
    expect(bodyOf('discord', event)).toMatchObject({ embeds: [{ title: 'stackbk backup on nas: failed', description: expect.stringContaining('a\\_b\\*c: ok') as string, color: 0xc62828 }], allowed_mentions: { parse: [] } })
  })

  it('for ntfy has a title that a header can carry, and is urgent when it failed', () => {
    const { headers, body, url } = messageFor('ntfy', failed, 'https://ntfy.example/topic')
    const { title, ...others } = headers
    expect([url, others]).toEqual(['https://ntfy.example/topic', { 'content-type': 'text/plain; charset=utf-8', priority: '4', tags: 'x' }])
    const [, encoded = ''] = /^=\?UTF-8\?B\?(.*)\?=$/.exec(title ?? '') ?? []
    expect(Buffer.from(encoded, 'base64').toString()).toBe('stackbk backup on nas: partial (blög)')
    expect(body).toContain('blög: failed')
    expect(messageFor('ntfy', finished(), 'https://x').headers['title']).toBe('stackbk backup on nas: ok')
  })

  it.each([
    ['https://g.example', 'https://g.example/message'],
    ['https://g.example/sub/', 'https://g.example/sub/message'],
    ['https://g.example/message?token=a', 'https://g.example/message?token=a'],
    ['https://g.example?token=a', 'https://g.example/message?token=a'],
  ])('for Gotify goes from %s to %s', (from, to) => {
    expect(messageFor('gotify', failed, from)).toMatchObject({ url: to, body: expect.stringContaining('"priority":8') as string })
  })

  it.each(['slack', 'discord', 'ntfy'] as const)('for %s keeps within what the service takes', (template) => {
    const long = finished({ exitCode: 1, result: { status: 'failed', problems: Array.from({ length: 20 }, () => ({ severity: 'error', message: 'x'.repeat(5_000) })) } })
    expect(messageFor(template, long, 'https://x').body.length).toBeLessThan(4_500)
  })
})

describe('a mail', () => {
  it('has the title for its subject, and of a failure the end of the log', () => {
    expect(mailOf(failed)).toMatchObject({ subject: 'stackbk backup on nas: partial (blög)', text: expect.stringMatching(/\n\nThe end of the log:\n\nthe last line\n$/) as string })
    expect(mailOf(finished({ log: 'x' })).text).not.toContain('log')
  })

  it.each([
    ['smtps://ann@mail.example', 's', { host: 'mail.example', port: 465, secure: true, requireTLS: false, auth: { user: 'ann', pass: 's' } }],
    ['smtp://ann%40x:p%3Aw@mail.example', '', { port: 587, secure: false, requireTLS: true, auth: { user: 'ann@x', pass: 'p:w' } }],
    ['smtp://ann@127.0.0.1:25', 's', { host: '127.0.0.1', port: 25, requireTLS: false }],
    ['smtp://relay.example:25', '', { requireTLS: false, auth: undefined }],
    ['smtp://[::1]:25', '', { host: '::1' }],
  ])('over %s never sends a password in the clear', (url, secret, expected) => {
    const options = serverOptions(url, secret)
    for (const [key, value] of Object.entries(expected)) expect(options?.[key as keyof typeof options]).toEqual(value)
  })
})
