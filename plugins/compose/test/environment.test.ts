import type { Exec, ToolRequest, ToolResult } from '@stackbk/contract'
import { describe, expect, onTestFinished, test } from 'vitest'

import { createDocker } from '../src/docker.js'
import { composeEnvironment } from '../src/environment.js'

const ours = {
  PATH: '/bin',
  HOME: '/root',
  LC_ALL: 'C',
  XDG_RUNTIME_DIR: '/run/user/0',
  DOCKER_HOST: 'unix:///run/docker.sock',
  https_proxy: 'http://proxy',
  PWD: '/somewhere',
  RESTIC_PASSWORD: 'secret',
  RCLONE_CONFIG_CLOUD_PASS: 'secret',
  AWS_ACCESS_KEY_ID: 'secret',
  B2_ACCOUNT_KEY: 'secret',
  STACKBK_CONFIG: '/etc/stackbk/config.ini',
  DOCKER_PASSWORD: 'secret',
  MY_TOKEN: 'secret',
  COMPOSE_FILE: '/other/compose.yaml',
  COMPOSE_PROJECT_NAME: 'other',
  COMPOSE_PROFILES: 'debug',
}

describe('what Compose sees of our environment', () => {
  test('is what it needs to run and to find the engine, and no secret of ours', () => {
    expect(Object.keys(composeEnvironment(ours, []))).toEqual(['PATH', 'HOME', 'LC_ALL', 'XDG_RUNTIME_DIR', 'DOCKER_HOST', 'https_proxy'])
  })

  test('is also what COMPOSE_ENV lists, but nothing that would make it act on another project', () => {
    const added = Object.keys(composeEnvironment(ours, ['MY_TOKEN', 'COMPOSE_PROFILES', 'COMPOSE_FILE', 'COMPOSE_PROJECT_NAME', 'PWD', 'NOT_SET']))
    expect(added.filter((name) => !Object.keys(composeEnvironment(ours, [])).includes(name))).toEqual(['MY_TOKEN', 'COMPOSE_PROFILES'])
  })

  test('reaches every call of docker, with the folder that it is called in', async () => {
    process.env['RESTIC_PASSWORD'] = 'secret'
    onTestFinished(() => void delete process.env['RESTIC_PASSWORD'])
    const requests: ToolRequest[] = []
    const result = { outcome: 'exited', exitCode: 0, endedBySignal: null, stdout: '', stdoutBytes: new Uint8Array(), stderr: '', durationMs: 0, wasKilled: false, startError: null } satisfies ToolResult
    const exec = {
      run: (request: ToolRequest) => {
        requests.push(request)
        return Promise.resolve(result)
      },
    } as Exec
    const docker = createDocker(exec)
    await docker.ask('x', ['compose', 'config'], { cwd: '/opt/web' })
    await docker.ask('x', ['compose', 'version'])
    expect(requests.map(({ env, cwd }) => [cwd, env?.['PWD'], 'RESTIC_PASSWORD' in (env ?? {}), env?.['RESTIC_PASSWORD'], 'PATH' in (env ?? {})])).toEqual([
      ['/opt/web', '/opt/web', true, undefined, false],
      ['/', '/', true, undefined, false],
    ])
    expect(docker.environment).not.toHaveProperty('RESTIC_PASSWORD')
  })
})
