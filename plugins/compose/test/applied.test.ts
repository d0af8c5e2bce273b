import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { type ComposeStack, docker, service } from '../../../test/fixtures/compose-stack.js'
import { freeSubnet } from '../../../test/fixtures/free-subnet.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

type Model = { services: Record<string, object>; volumes?: object; networks?: object; secrets?: object; configs?: object; name?: string }

/** What stands against taking the stack down by now, with the names of project and folder replaced. */
async function reasons(stack: ComposeStack): Promise<string[]> {
  const { runtime } = await liveRuntime()
  const { model, whyNotDown } = good(await runtime.preflight(await look(runtime, stack.directory)))
  expect(model.ok ? '' : model.failure.toolOutput).toBe('')
  return whyNotDown.map((reason) => reason.replaceAll(stack.directory, 'D').replaceAll(stack.project, 'P'))
}

const notApplied = 'was changed in the compose file, and the change was not applied yet'

test('an edit of the top level of the compose file that was not applied yet is seen, and no edit is no difference', async () => {
  const unique = `stackbk-applied-${Date.now()}`
  const subnet = freeSubnet()
  const back = { internal: true, driver_opts: { 'com.docker.network.bridge.enable_icc': 'true' }, ipam: { config: [{ subnet: `${subnet}.0/24` }] }, labels: { one: '1' } }
  const base = (folder: string): Required<Omit<Model, 'name'>> => ({
    services: {
      app: service({
        volumes: ['plain:/plain', 'disk:/disk', { type: 'volume', source: 'ext', target: '/ext' }, '${WHERE:-./one}:/bind'],
        tmpfs: ['/scratch:size=1m'],
        secrets: ['s'],
        configs: [{ source: 'c', target: '/etc/my/c.conf' }, 'root'],
        networks: ['front', 'back'],
        restart: 'unless-stopped',
      }),
    },
    volumes: { plain: { labels: { mark: 'a<b>&"$$c' } }, disk: { driver_opts: { type: 'none', o: 'bind', device: join(folder, 'one') } }, ext: { external: true, name: unique } },
    networks: { front: {}, back },
    secrets: { s: { file: './old' } },
    configs: { c: { file: './old' }, root: { file: './old' } },
  })
  const stack = await liveStack({ compose: { services: {} }, files: { old: 'old', new: 'new', '.env': '' }, isUp: false })
  for (const name of ['one', 'two']) await mkdir(join(stack.directory, name))
  await docker('volume', 'create', unique)
  onTestFinished(async () => {
    await stack.remove()
    await docker('volume', 'rm', unique, `${unique}-b`)
  })
  await docker('volume', 'create', `${unique}-b`)
  const before = base(stack.directory)
  await stack.write('compose.yaml', before)
  await stack.up()
  expect(await reasons(stack)).toEqual([])

  const edits: [Partial<Model>, (string | RegExp)[]][] = [
    [{ volumes: { ...before.volumes, plain: { name: `${unique}-new` } } }, [`P-app-1 has P_plain at /plain, and the compose file names ${unique}-new now`]],
    [{ volumes: { ...before.volumes, plain: { labels: { mark: 'other' } } } }, [`volume P_plain ${notApplied}`]],
    [{ volumes: { ...before.volumes, disk: { driver_opts: { type: 'none', o: 'bind', device: join(stack.directory, 'two') } } } }, [`volume P_disk ${notApplied}`]],
    [{ volumes: { ...before.volumes, ext: { external: true, name: `${unique}-b` } } }, [`P-app-1 has ${unique} at /ext, and the compose file names ${unique}-b now`]],
    [{ networks: { ...before.networks, front: { name: `${unique}-front` } } }, [`network P_front has the name ${unique}-front in the compose file now, and the change was not applied yet`]],
    [{ networks: { front: {}, back: { ...back, ipam: { config: [{ subnet: `${freeSubnet()}.0/24` }] } } } }, [`network P_back ${notApplied}`]],
    // Without a range of its own it keeps the one that it has: only the hash tells.
    [{ networks: { front: {}, back: { ...back, ipam: {} } } }, [`network P_back ${notApplied}`]],
    [{ networks: { front: { driver_opts: { 'com.docker.network.driver.mtu': 1400 } }, back } }, [`network P_front ${notApplied}`]],
    [{ secrets: { s: { file: './new' } } }, ['P-app-1 has D/old at /run/secrets/s, and the compose file names D/new now']],
    [{ configs: { c: { file: './old' }, root: { file: './new' } } }, ['P-app-1 has D/old at /root, and the compose file names D/new now']],
    [{ services: { app: { ...before.services['app'], tmpfs: ['/scratch:size=2m'] } } }, [/^service app was changed/]],
    [{ services: { app: { ...before.services['app'], volumes: [] } } }, [/^service app was changed/]],
    [{ name: `${unique}-renamed` }, []],
  ]
  for (const [edit, expected] of edits) {
    await stack.write('compose.yaml', { ...before, ...edit })
    expect(await reasons(stack), JSON.stringify(edit)).toEqual(expected.map((one) => (typeof one === 'string' ? one : expect.stringMatching(one))))
  }
  await stack.write('compose.yaml', before)
  await stack.write('.env', 'WHERE=./two\n')
  expect((await reasons(stack)).sort()).toEqual(['P-app-1 has D/one at /bind, and the compose file names D/two now', 'service app was changed in the compose file or what it reads, and the change was not applied yet'])
  await stack.write('.env', '')
  await docker('update', '--restart', 'no', `${stack.project}-app-1`)
  expect(await reasons(stack)).toEqual(['P-app-1 has the restart policy no, and the compose file says unless-stopped'])
})

test('a network and a volume without the hash of Compose are compared by what the engine says of them', async () => {
  const subnet = freeSubnet()
  const before = { services: { app: service({ volumes: ['vol:/vol'], networks: ['back'] }) }, volumes: { vol: { driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' } } }, networks: { back: { internal: true, ipam: { config: [{ subnet: `${subnet}.0/24` }] } } } }
  const stack = await liveStack({ compose: before, isUp: false })
  const labels = (kind: string, key: string): string[] => ['--label', `com.docker.compose.project=${stack.project}`, '--label', `com.docker.compose.${kind}=${key}`]
  await docker('network', 'create', '--internal', '--subnet', `${subnet}.0/24`, ...labels('network', 'back'), `${stack.project}_back`)
  await docker('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=1m', ...labels('volume', 'vol'), `${stack.project}_vol`)
  await stack.up()
  expect(await reasons(stack)).toEqual([])
  await stack.write('compose.yaml', { ...before, networks: { back: { ipam: { config: [{ subnet: `${freeSubnet()}.0/24` }] } } }, volumes: { vol: { driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=2m' } } } })
  expect(await reasons(stack)).toEqual([`volume P_vol ${notApplied}`, `network P_back ${notApplied}`])
})
