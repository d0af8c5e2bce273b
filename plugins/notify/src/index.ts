import { defineNotifier } from '@stackbk/contract'

import { commandSettings, emailSettings, pingSettings, textfileSettings, webhookSettings } from './settings.js'

/** Posts the digest to an address: as JSON, or as Slack, Discord, ntfy or Gotify take it. */
export const webhook = defineNotifier({
  id: 'webhook',
  title: 'webhook: JSON, Slack, Discord, ntfy, Gotify',
  settings: webhookSettings,
  async create(values) {
    const { createWebhook } = await import('./webhook.js')
    return createWebhook(values)
  },
})

/** Mails the digest. */
export const email = defineNotifier({
  id: 'email',
  title: 'e-mail',
  settings: emailSettings,
  async create(values) {
    const { createEmail } = await import('./email.js')
    return createEmail(values)
  },
})

/** Pings a check, whose alarm is that no ping comes. */
export const ping = defineNotifier({
  id: 'ping',
  title: 'pings as healthchecks takes them',
  settings: pingSettings,
  async create(values) {
    const { createPing } = await import('./ping.js')
    return createPing(values)
  },
})

/** Writes figures for Prometheus' node_exporter. */
export const textfile = defineNotifier({
  id: 'textfile',
  title: 'text file of figures for Prometheus',
  settings: textfileSettings,
  async create(values) {
    const { createTextfile } = await import('./textfile.js')
    return createTextfile(values)
  },
})

/** Runs a program. */
export const command = defineNotifier({
  id: 'command',
  title: 'a command',
  settings: commandSettings,
  async create(values, context) {
    const { createCommand } = await import('./command.js')
    return createCommand(values, context)
  },
})
