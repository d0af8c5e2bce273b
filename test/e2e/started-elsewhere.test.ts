import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { DrillResult } from '../../src/stages/drill/drill-result.js'
import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import { removeKept } from '../fixtures/kept-aside.js'
import { makeWorld, type World } from '../fixtures/world.js'

const polite = { image: testImage, command: politeCommand, network_mode: 'none' }

let world: World
beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false }, docker: { WARM_PASS: false } } })
})
afterAll(async () => {
  await removeKept(world)
  await world.remove()
})

const put = (file: string, text: string): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
const volumeOf = async (name: string): Promise<string> => (await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', name)).trim()
const startOf = async (container: string): Promise<string> => (await docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}} {{.State.Running}}', container)).trim()

/** Backs up, loses the data, gets it back; a drill too. All of it with the containers where they were. */
async function expectWayBack(name: string, { files, containers }: { readonly files: readonly string[]; readonly containers: readonly string[] }): Promise<void> {
  for (const file of files) put(file, 'good')
  const before = await Promise.all(containers.map(startOf))
  const call = await world.backup([name])
  const report = call.stack(name)
  expect([call.exitCode, report], call.stderr).toMatchObject([0, { status: 'ok', stateBefore: 'running', quiet: true, problems: [] }])
  expect((await Promise.all(containers.map(startOf))).every((now, at) => now !== before[at] && now.endsWith('true'))).toBe(true)
  for (const file of files) expect(await world.dump(report.snapshot?.id ?? '', file)).toEqual(Buffer.from('good'))

  for (const file of files) put(file, 'lost')
  const recovered = await world.json<RecoverResult>(['recover', name, '--yes'])
  expect(recovered.exitCode, recovered.stderr).toBe(0)
  expect(files.map((file) => readFileSync(file, 'utf8'))).toEqual(files.map(() => 'good'))
  expect((await Promise.all(containers.map(startOf))).every((now) => now.endsWith('true'))).toBe(true)
  await removeKept(world)

  const drill = await world.json<DrillResult>(['drill', name, '--local'])
  expect(drill.exitCode, drill.stderr).toBe(0)
}

describe('a stack whose containers were started from elsewhere is stopped, saved and recovered', () => {
  it('when a file above includes its own: its services alone', async () => {
    const db = await world.stack('db', { model: { services: { db: { ...polite, volumes: ['data:/data', './files:/files'] } }, volumes: { data: {} } }, isUp: false })
    await world.stack('web', { services: { web: polite }, isUp: false, isEnabled: false })
    const project = `${world.prefix}-all`
    const file = join(world.stacks, 'compose.yaml')
    put(file, `name: ${project}\ninclude: [db/compose.yaml, web/compose.yaml]\n`)
    try {
      await docker('compose', '--progress', 'quiet', '-f', file, 'up', '-d')
      const web = await startOf(`${project}-web-1`)
      await expectWayBack('db', { files: [join(await volumeOf(`${project}_data`), 'row'), join(db.directory, 'files/row')], containers: [`${project}-db-1`] })
      expect(await startOf(`${project}-web-1`)).toBe(web)
    } finally {
      await docker('compose', '--progress', 'quiet', '-f', file, 'down', '-v', '-t', '1')
      rmSync(file)
    }
  })

  it('when its .env names a first file of another folder, where Compose works then', async () => {
    const common = join(world.root, 'common')
    put(join(common, 'base.yaml'), JSON.stringify({ services: { app: polite } }))
    const shop = await world.stack('shop', { model: { services: { app: { environment: { OWN: '${OWN:?}' }, volumes: ['data:/data', '${FILES:?}:/files'] } }, volumes: { data: {} } }, isUp: false })
    shop.write('.env', `COMPOSE_FILE=${common}/base.yaml:compose.yaml\nOWN=shop\nFILES=${shop.directory}/files\n`)
    await shop.up()
    const container = `${shop.project}-app-1`
    expect(await docker('inspect', '--format', '{{index .Config.Labels "com.docker.compose.project.working_dir"}}', container)).toBe(common)
    await expectWayBack('shop', { files: [join(await volumeOf(`${shop.project}_data`), 'row'), join(shop.directory, 'files/row')], containers: [container] })
  })

  /** Only root can mount. */
  it.runIf(process.getuid?.() === 0)('when a manager in a container has its folder by another path', async () => {
    const folder = join(world.root, 'manager', '5')
    const inside = join(world.root, 'inside')
    mkdirSync(inside)
    put(join(folder, 'docker-compose.yml'), JSON.stringify({ services: { w: { ...polite, volumes: ['pages:/pages'] } }, volumes: { pages: {} } }))
    const [project, manager] = [`${world.prefix}-wiki`, `${world.prefix}-manager`]
    try {
      await docker('run', '-d', '--name', manager, '--network', 'none', '-v', `${dirname(folder)}:${inside}`, testImage, ...politeCommand)
      execFileSync('unshare', ['-m', 'sh', '-c', `mount --bind "${dirname(folder)}" "${inside}" && cd "${inside}/5" && docker compose --progress quiet -p ${project} up -d`])
      rmSync(inside, { recursive: true })
      await world.run(['dirlist', 'add', folder, '--name', 'wiki'])
      await world.run(['dirlist', 'enable', 'wiki'])
      await expectWayBack('wiki', { files: [join(await volumeOf(`${project}_pages`), 'page')], containers: [`${project}-w-1`] })
    } finally {
      await docker('rm', '-fv', manager)
      await docker('compose', '--progress', 'quiet', '-p', project, 'down', '-v', '-t', '1')
    }
  })
})
