import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { done } from '@stackbk/contract'
import type { Capsule, CapsuleProject, RebuildQuestion, RebuildReport, RebuiltVolume, Runtime } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { type ComposeStack, docker, removeProject, service } from '../../../test/fixtures/compose-stack.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

/** The stack's capsule, as it comes back out of a snapshot. */
async function record(runtime: Runtime, stack: ComposeStack): Promise<Capsule> {
  return JSON.parse(JSON.stringify(good(await runtime.describe(await look(runtime, stack.directory))))) as Capsule
}

interface Mount {
  readonly type: string
  readonly source?: string
  readonly target: string
}
interface Model {
  readonly services: Record<string, { readonly volumes?: readonly Mount[] }>
  readonly volumes?: Record<string, { readonly name: string; readonly external?: boolean }>
  readonly networks?: Record<string, { readonly name: string }>
  readonly secrets?: Record<string, { readonly file: string }>
}

function modelOf(capsule: Capsule): Model {
  return capsule.projects[0]!.model as Model
}

/** What each container has mounted: target to volume or path, the names of project and folder replaced. */
async function mounts(stack: ComposeStack): Promise<Record<string, Record<string, string>>> {
  const ids = (await docker('ps', '-aq', '--filter', `label=com.docker.compose.project=${stack.project}`)).split('\n').filter(Boolean)
  const all = JSON.parse(await docker('inspect', ...ids)) as { Name: string; Mounts: { Type: string; Name?: string; Source: string; Destination: string }[] }[]
  return Object.fromEntries(all.map((one) => [one.Name.replace(`/${stack.project}-`, ''), Object.fromEntries(one.Mounts.map((mount) => [mount.Destination, short(stack, mount.Type === 'volume' ? mount.Name! : mount.Source)]))]))
}

function short(stack: ComposeStack, text: string): string {
  return text.replaceAll(stack.directory, 'D').replaceAll(stack.project, 'P')
}

async function rebuild(runtime: Runtime, stack: ComposeStack, capsule: Capsule): Promise<{ readonly report: RebuildReport; readonly filled: readonly RebuiltVolume[] }> {
  let filled: readonly RebuiltVolume[] = []
  const fillVolumes = async (volumes: readonly RebuiltVolume[]): Promise<typeof done> => {
    filled = volumes
    for (const volume of volumes) await writeFile(join(volume.path, 'row'), 'of the snapshot')
    return done
  }
  const report = good(await runtime.rebuild(capsule, { directory: stack.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, healthTimeoutMs: 30_000, fillVolumes }))
  return { report, filled }
}

function question(stack: ComposeStack): RebuildQuestion {
  return { directory: stack.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, restoredPaths: [] }
}

/** Removed with the stack, by whatever project made them. */
function removeVolumes(...names: string[]): void {
  onTestFinished(async () => {
    for (const name of names) await docker('volume', 'rm', '-f', name).catch(() => '')
  })
}

test('a volume that has another name in the file, and was not made anew yet, comes back under the name that it has', async () => {
  const { runtime, log } = await liveRuntime()
  const base = { services: { db: service({ volumes: ['vol:/vol', 'kept:/kept'] }), web: service({ volumes: ['vol:/seen:ro'] }) }, volumes: { vol: {}, kept: {} } }
  const stack = await liveStack({ compose: base })
  const hashes = (await record(runtime, stack)).projects[0]!.model
  const fresh = `${stack.project}-new`
  removeVolumes(fresh)
  await stack.write('compose.yaml', { ...base, volumes: { vol: { name: fresh }, kept: {} } })

  const capsule = await record(runtime, stack)
  expect(capsule.notes).toEqual([])
  expect(modelOf(capsule), 'what the files said when it was made').toEqual(hashes)
  expect(capsule.projects[0]!.volumes.map(({ name, key }) => `${short(stack, name)} ${key}`).sort()).toEqual(['P_kept kept', 'P_vol vol'])

  const before = await mounts(stack)
  for (const isBare of [false, true]) {
    await stack.compose('down', ...(isBare ? ['-v'] : []))
    if (isBare) await removeProject(stack.project)
    expect(good(await runtime.canRebuild(capsule, question(stack))).problems).toEqual([])
    const { report, filled } = await rebuild(runtime, stack, capsule)
    expect(report).toMatchObject({ isUp: true, missing: [], losses: [] })
    expect(filled.map(({ name }) => short(stack, name)).sort()).toEqual(['P_kept', 'P_vol'])
    expect(await mounts(stack)).toEqual(before)
    expect(await docker('exec', `${stack.project}-db-1`, 'cat', '/vol/row')).toBe('of the snapshot')
    expect(await docker('volume', 'ls', '-q', '--filter', `name=${fresh}`)).toBe('')
    expect(log.at(-1)?.message).toContain('they now say something else of volume vol')
  }
  // The edit is still to be applied, and is told of.
  expect(good(await runtime.preflight(await look(runtime, stack.directory))).whyNotDown).toContainEqual(expect.stringContaining(`the compose file names ${fresh} now`))
})

test('what several edits made of mounts, networks and secrets is not in the capsule while it is not applied', async () => {
  const { runtime } = await liveRuntime()
  const base = {
    services: {
      swapped: service({ volumes: ['one:/one', 'two:/two'] }),
      edited: service({ volumes: ['one:/data', './old:/bind', 'gone:/gone', { type: 'volume', source: 'ext', target: '/ext', read_only: true }], secrets: ['s'], networks: ['front'] }),
      applied: service({ volumes: ['one:/one'] }),
    },
    volumes: { one: {}, two: {}, gone: {}, ext: { external: true, name: '' } },
    networks: { front: {} },
    secrets: { s: { file: './old/secret' } },
  }
  const stack = await liveStack({ compose: { services: {} }, files: { 'old/secret': 'old', 'new/secret': 'new' }, isUp: false })
  const [outer, other] = [`${stack.project}-outer`, `${stack.project}-other`]
  removeVolumes(`${stack.project}_fresh`, `${stack.project}_added`)
  onTestFinished(async () => {
    await stack.remove()
    await docker('volume', 'rm', '-f', outer, other)
  })
  await docker('volume', 'create', outer)
  await docker('volume', 'create', other)
  await stack.write('compose.yaml', { ...base, volumes: { ...base.volumes, ext: { external: true, name: outer } } })
  await stack.up()
  const before = await mounts(stack)
  await stack.write('compose.yaml', {
    services: {
      ...base.services,
      edited: service({ volumes: ['fresh:/data', './new:/bind', 'added:/added', { type: 'volume', source: 'ext', target: '/ext', read_only: true }], secrets: ['s'], networks: ['front'] }),
    },
    // The two have changed their names; one service has that already.
    volumes: { one: { name: `${stack.project}_two` }, two: { name: `${stack.project}_one` }, fresh: {}, added: {}, ext: { external: true, name: other } },
    networks: { front: { name: `${stack.project}-renamed` } },
    secrets: { s: { file: './new/secret' } },
  })
  await docker('rm', '-f', `${stack.project}-applied-1`)
  await stack.compose('up', '-d', '--no-deps', 'applied')
  const applied = (await mounts(stack))['applied-1']
  expect(applied).toEqual({ '/one': 'P_two' })

  const capsule = await record(runtime, stack)
  const { services, networks, secrets } = modelOf(capsule)
  const names = modelOf(capsule).volumes!
  const mounted = (name: string): Record<string, string> =>
    Object.fromEntries((services[name]!.volumes ?? []).map(({ type, source, target }) => [target, short(stack, type === 'volume' ? names[source!]!.name : source!)]))
  expect(mounted('swapped')).toEqual({ '/one': 'P_one', '/two': 'P_two' })
  expect(mounted('edited')).toEqual({ '/data': 'P_one', '/bind': 'D/old', '/gone': 'P_gone', '/ext': 'P-outer' })
  expect(mounted('applied')).toEqual({ '/one': 'P_two' })
  expect(Object.values(names).find(({ name }) => name === outer)).toEqual({ name: outer, external: true })
  expect(short(stack, networks!['front']!.name)).toBe('P_front')
  expect(short(stack, secrets!['s']!.file)).toBe('D/old/secret')
  expect(capsule.notes).toEqual(['service edited was changed in the compose file or what it reads, and the change was not applied yet'])

  await removeProject(stack.project)
  await rebuild(runtime, stack, capsule)
  expect(await mounts(stack)).toEqual({ ...before, 'applied-1': applied })
  expect(Object.keys((JSON.parse(await docker('inspect', `${stack.project}-edited-1`)) as [{ NetworkSettings: { Networks: object } }])[0].NetworkSettings.Networks)).toEqual([`${stack.project}_front`])
})

test('containers of one service with different volumes are told of', async () => {
  const { runtime } = await liveRuntime()
  const base = { services: { app: service({ volumes: ['vol:/vol'] }) }, volumes: { vol: {} } }
  const stack = await liveStack({ compose: base })
  await stack.write('compose.yaml', { ...base, volumes: { vol: { name: `${stack.project}-new` } } })
  removeVolumes(`${stack.project}-new`)
  await stack.compose('up', '-d', '--no-recreate', '--scale', 'app=2')
  const capsule = await record(runtime, stack)
  expect(modelOf(capsule).volumes!['vol']!.name).toBe(`${stack.project}_vol`)
  expect(capsule.notes.map((note) => short(stack, note))).toEqual(['P-app-2 has volume P-new at /vol, and P-app-1 has P_vol, as a recovery gives to both'])
})

test('a volume that the capsule does not know is not made empty in the place of one that it does', async () => {
  const { runtime } = await liveRuntime()
  const base = { services: { db: service({ volumes: ['vol:/vol'] }), halted: service({ volumes: ['more:/more'] }) }, volumes: { vol: {}, more: {} } }
  const stack = await liveStack({ compose: base })
  await stack.compose('stop', '-t', '1', 'halted')
  const capsule = await record(runtime, stack)
  const fresh = `${stack.project}-new`
  removeVolumes(fresh)
  const about = capsule.projects[0]!
  const model = modelOf(capsule)
  // As versions wrote it that took the names from the files alone.
  const changed = (more: Partial<CapsuleProject>): Capsule => ({ ...capsule, projects: [{ ...about, ...more }] })
  const older = changed({ model: { ...model, volumes: { ...model.volumes, vol: { name: fresh } } }, volumes: about.volumes.map((volume) => (volume.key === 'vol' ? { ...volume, key: '' } : volume)) })
  await stack.compose('down', '-v')
  const problems = async (of: Capsule): Promise<string[]> => good(await runtime.canRebuild(of, question(stack))).problems.map(({ severity, code, message }) => short(stack, `${severity} ${code} ${message}`))
  expect(await problems(older)).toEqual(['error other-volume Volume P-new, which service db would mount at /vol, is not in the snapshot, and not here: the service would begin without its data, since what ran had P_vol there'])
  expect(await runtime.rebuild(older, { ...question(stack), healthTimeoutMs: 1000, fillVolumes: async () => done })).toMatchObject({ ok: false, failure: { message: expect.stringContaining(fresh) } })
  expect(await docker('volume', 'ls', '-q', '--filter', `name=${stack.project}`), 'nothing was touched').toBe('')

  // What stays stopped keeps nothing down, and only the files tell where there is no model.
  expect(await problems(changed({ volumes: about.volumes.filter(({ key }) => key === 'vol') }))).toEqual([expect.stringMatching(/^warning other-volume Volume P_more, which service halted would mount at \/more, .* without its data$/)])
  await stack.write('compose.yaml', { ...base, volumes: { vol: { name: fresh }, more: {} } })
  expect(await problems(changed({ model: null }))).toEqual([expect.stringMatching(/^error other-volume Volume P-new/)])

  const fix = good(await runtime.canRebuild(older, question(stack))).problems[0]!.fix
  expect(short(stack, fix)).toBe('If it is to begin empty, make it: docker volume create --label com.docker.compose.project=P --label com.docker.compose.volume=vol P-new')
  await docker(...fix.slice(fix.indexOf('docker ') + 'docker '.length).split(' '))
  expect(await problems(older)).toEqual([])
})
