import { html, trusted, type Html } from './html.js'
import { style } from './style.js'

export interface PageParts {
  readonly title: string
  /** ISO 8601 UTC: what the page shows is of then. */
  readonly at: string
  readonly head: Html
  readonly body: Html
}

/** One page that needs nothing but itself: no script, no font, no picture from anywhere; the policy forbids what would. */
export function pageDocument({ title, at, head, body }: PageParts): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="robots" content="noindex">
<meta name="generator" content="stackbk">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="soft">As of ${time(at)}. All times are UTC.</p>
${head}
</header>
<main>
${body}
</main>
<footer>Written by stackbk. Nothing on this page changes by itself: write it anew for newer figures.</footer>
</body>
</html>
`
  return page.text
}

/** A moment for people and for machines. */
export function time(at: string): Html {
  return html`<time datetime="${at}">${shortTime(at)}</time>`
}

/** `2026-11-25 22:40`. */
export function shortTime(at: string): string {
  return at.slice(0, 16).replace('T', ' ')
}

export type Tone = 'ok' | 'warn' | 'bad' | 'off'

export function badge(tone: Tone, text: string): Html {
  return html`<span class="badge ${tone}">${text}</span>`
}

/** The colour of a run's or a stack's status. */
export function toneOf(status: string): Tone {
  switch (status) {
    case 'ok':
      return 'ok'
    case 'partial':
    case 'interrupted':
      return 'warn'
    case 'failed':
      return 'bad'
    default:
      return 'off'
  }
}
