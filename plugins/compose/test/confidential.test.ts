import { createExec } from '@stackbk/tool-runner'
import { describe, expect, test } from 'vitest'

import { service } from '../../../test/fixtures/compose-stack.js'
import { Confidential, withoutQuotedValues } from '../src/confidential.js'
import { createDocker } from '../src/docker.js'
import { liveStack } from './runtime-for-test.js'

const container = (env: readonly string[], labels: Readonly<Record<string, string>> = {}): object => ({ Name: '/shop-db-1', Config: { Image: 'postgres:16', Env: env, Labels: labels } })

describe('values of environments that are known', () => {
  test('are hidden where they stand as words of their own', () => {
    const confidential = new Confidential()
    confidential.learnContainer(container(['DB_PASSWORD=hunter2', 'EMPTY=', 'TWO=first line\nsecond line']))
    confidential.learnModel({ services: { web: { environment: { TOKEN: 'to$$ken', NUMBER: 5432, NOTHING: null } } } })
    expect(confidential.hideIn('cannot use "hunter2", hunter2 or hunter2!')).toBe('cannot use "********", ******** or ********!')
    expect(confidential.hideIn('at second line: to$ken')).toBe('at ********: ********')
    expect(confidential.hideIn('hunter22 and my-hunter2 are other words')).toBe('hunter22 and my-hunter2 are other words')
  })

  test('stay where they are names, numbers, switches or paths', () => {
    const confidential = new Confidential()
    confidential.learnContainer(container(['DB_HOST=database', 'DB_IMAGE=postgres:16', 'PORT=5432', 'TLS=true', 'PATH=/usr/bin:/bin', 'SELF=shop-db-1'], { 'com.docker.compose.service': 'database' }))
    const line = 'service database, postgres:16, port 5432, true, /usr/bin:/bin, shop-db-1'
    expect(confidential.hideIn(line)).toBe(line)
  })
})

test('what Compose quotes of a file that it cannot read is hidden', async () => {
  const stack = await liveStack({ compose: { services: { web: service() } }, files: { 'web.env': '' }, isUp: false })
  const docker = createDocker(createExec())
  const complaint = async (files: Readonly<Record<string, string | object>>): Promise<string> => {
    for (const [file, content] of Object.entries(files)) await stack.write(file, content)
    const answer = await docker.ask('config', ['compose', '-f', `${stack.directory}/compose.yaml`, 'config'])
    if (answer.ok) throw new Error('Compose has nothing to complain of')
    return answer.failure.toolOutput ?? ''
  }
  const web = service({ env_file: ['web.env'] })
  expect(await complaint({ 'compose.yaml': { services: { web: service({ environment: { PASSWORD: 'hunter2${x' } }) } } })).toMatch(/environment\.PASSWORD\.\nYou may need[^\n]*$/)
  for (const content of ['P+W=hunter2\n', 'PASSWORD="hunter2\n', 'PASSWORD=hunter2${x\n']) {
    const said = await complaint({ 'compose.yaml': { services: { web } }, 'web.env': content })
    expect(said).toContain('web.env')
    expect(said).toContain('********')
    expect(said).not.toContain('hunter2')
  }
})

test('a value over several lines is hidden to its end', () => {
  const hide = withoutQuotedValues()
  const lines = ['invalid interpolation format for services.web.environment.KEY.', 'You may need to escape any $ with another $.', 'first $', 'second $']
  expect(lines.map(hide)).toEqual([lines[0], lines[1], '', ''])
})
