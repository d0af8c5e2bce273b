import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { done } from '@stackbk/contract'
import type { Capsule, RebuildRequest, RebuiltVolume, Runtime } from '@stackbk/contract'
import { expect, test } from 'vitest'

import { type ComposeStack, docker, healthyCommand, quickHealthcheck, removeProject, service } from '../../../test/fixtures/compose-stack.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

const nothingToFill: RebuildRequest['fillVolumes'] = async () => done

function request(stack: ComposeStack, more: Partial<RebuildRequest> = {}): RebuildRequest {
  return { directory: stack.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, healthTimeoutMs: 30_000, fillVolumes: nothingToFill, ...more }
}

/** The stack's capsule, as it comes back out of a snapshot. */
async function record(runtime: Runtime, stack: ComposeStack): Promise<Capsule> {
  return JSON.parse(JSON.stringify(good(await runtime.describe(await look(runtime, stack.directory))))) as Capsule
}

/** By name: how each container is, of which image, by which command. */
async function picture(project: string): Promise<Record<string, unknown>> {
  const ids = (await docker('ps', '-aq', '--filter', `label=com.docker.compose.project=${project}`)).split('\n').filter(Boolean)
  if (ids.length === 0) return {}
  const all = JSON.parse(await docker('inspect', ...ids)) as { Name: string; Image: string; State: { Status: string }; Config: { Cmd: string[]; Env: string[]; Labels: Record<string, string>; Image: string }; NetworkSettings: { Networks: Record<string, unknown> } }[]
  return Object.fromEntries(all.map((one) => [one.Name, { image: one.Image, status: one.State.Status, command: one.Config.Cmd, environment: one.Config.Env.sort(), labels: named(one.Config.Labels), networks: Object.keys(one.NetworkSettings.Networks) }]))
}

/** Without the hash of a container's configuration where that counts the ID of a container whose network it shares. */
function named(labels: Record<string, string>): Record<string, string> {
  return labels['com.docker.compose.service'] === 'beside' ? { ...labels, 'com.docker.compose.config-hash': '' } : labels
}

async function volumesOf(project: string): Promise<unknown> {
  const names = (await docker('volume', 'ls', '-q', '--filter', `label=com.docker.compose.project=${project}`)).split('\n').filter(Boolean).sort()
  return names.length === 0 ? [] : (JSON.parse(await docker('volume', 'inspect', ...names)) as Record<string, unknown>[]).map(({ CreatedAt: _created, ...volume }) => volume)
}

test('a rich stack comes back as it ran: replicas, profiles, what was paused, what was stopped, its volumes, its labels', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({
    compose: {
      services: {
        db: service({ command: healthyCommand, healthcheck: quickHealthcheck(), volumes: ['data:/data', '/cache'] }),
        web: service({ environment: { PRICE: '5$$', TOKEN: '${TOKEN}' }, depends_on: { db: { condition: 'service_healthy' } }, volumes: ['/scratch'] }),
        admin: service({ profiles: ['ops'] }),
        unused: service({ profiles: ['never'] }),
        halted: service({ volumes: ['/halted'] }),
        frozen: service({ network_mode: 'none' }),
        beside: service({ network_mode: 'service:db' }),
      },
      volumes: { data: { labels: { keep: 'yes, "it" is' }, driver_opts: {} } },
    },
    files: { '.env': 'TOKEN=a$b c\n' },
    isUp: false,
  })
  await stack.compose('--profile', 'ops', 'up', '-d', '--scale', 'web=2')
  await stack.compose('stop', '-t', '5', 'halted')
  await stack.compose('pause', 'frozen')
  const before = { picture: await picture(stack.project), volumes: await volumesOf(stack.project) }
  const capsule = await record(runtime, stack)
  await removeProject(stack.project)

  let filled: readonly RebuiltVolume[] = []
  const report = good(
    await runtime.rebuild(capsule, request(stack, {
      fillVolumes: async (volumes) => {
        filled = volumes
        for (const volume of volumes) await writeFile(join(volume.path, 'mark'), `${volume.recorded.service}${volume.recorded.containerNumber || ''} ${volume.recorded.target}`)
        expect(await stack.running()).toEqual([])
        return done
      },
    })),
  )
  expect(report).toEqual({ isUp: true, missing: [], completed: [], unprovenImages: [], losses: [] })
  const after = await picture(stack.project)
  for (const [name, container] of Object.entries(before.picture)) {
    expect(after[name], name).toEqual(name.includes('halted') ? { ...(container as object), status: 'created' } : container)
  }
  expect(Object.keys(after).sort()).toEqual(Object.keys(before.picture).sort())
  expect(await volumesOf(stack.project)).toEqual(before.volumes)
  expect(filled.map(({ recorded, isNew }) => [recorded.key, recorded.service, recorded.containerNumber, recorded.target, isNew]).sort()).toEqual(
    [['data', '', 0, '/data', true], ['', 'db', 1, '/cache', true], ['', 'halted', 1, '/halted', true], ['', 'web', 1, '/scratch', true], ['', 'web', 2, '/scratch', true]].sort(),
  )
  const inside = (container: string, path: string): Promise<string> => docker('exec', `${stack.project}-${container}`, 'cat', path)
  expect(await Promise.all([inside('db-1', '/data/mark'), inside('db-1', '/cache/mark'), inside('web-1', '/scratch/mark'), inside('web-2', '/scratch/mark')])).toEqual([' /data', 'db1 /cache', 'web1 /scratch', 'web2 /scratch'])
  // What came back is a stack like any other: nothing speaks against taking it down as far as its volumes do not.
  const again = await record(runtime, stack)
  expect(again.projects[0]).toMatchObject({ replicas: capsule.projects[0]!.replicas, pausedServices: ['frozen'], stoppedServices: ['halted'], profiles: ['ops'], configFiles: capsule.projects[0]!.configFiles })
  expect(again.notes).toEqual([])
})
