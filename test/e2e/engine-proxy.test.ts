import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { busyboxImage, testImage } from '../fixtures/busybox-image.js'
import { startEngineProxy, type EngineProxy } from '../fixtures/engine-proxy.js'

const execute = promisify(execFile)

describe('the proxy in front of the engine', () => {
  let proxy: EngineProxy
  const docker = async (...args: string[]): Promise<string> => (await execute('docker', args, { env: { ...process.env, DOCKER_HOST: proxy.host }, timeout: 60_000 })).stdout.trim()

  beforeAll(async () => {
    await busyboxImage()
    proxy = await startEngineProxy()
  })
  beforeEach(() => proxy.clear())
  afterAll(async () => await proxy.close())

  test('passes calls, attached containers with their input and output, and streams of events through', async () => {
    const events = docker('events', '--since', String(Math.floor(Date.now() / 1000)), '--until', String(Math.floor(Date.now() / 1000) + 2), '--filter', 'event=die', '--format', '{{.Actor.ID}}')
    const running = execFile('docker', ['run', '--rm', '-i', '--network', 'none', testImage, 'cat'], { env: { ...process.env, DOCKER_HOST: proxy.host } })
    let output = ''
    running.stdout?.on('data', (text: string) => (output += text))
    running.stdin?.end('through the proxy\n')
    await new Promise((resolve) => running.once('close', resolve))
    expect(output).toBe('through the proxy\n')
    const created = proxy.calls.find(({ path }) => path.startsWith('/containers/create'))
    expect(created).toMatchObject({ method: 'POST', fault: null })
    expect(await events).toMatch(/^[0-9a-f]{64}/)
  })

  test('refuses the n-th matching call alone, breaks a connection, and can lose the answer to what was carried out', async () => {
    proxy.fail({ path: /^\/volumes$/, nth: 2, answer: 500 })
    await docker('volume', 'ls', '-q')
    await expect(docker('volume', 'ls', '-q')).rejects.toThrow(/refused by the test's proxy/)
    await docker('volume', 'ls', '-q')
    const remove = proxy.fail({ method: 'POST', path: /^\/volumes\/create/, answer: 'reset', isCarriedOut: true })
    const name = `stackbk-proxy-${process.pid}`
    await expect(docker('volume', 'create', name)).rejects.toThrow()
    remove()
    expect(await docker('volume', 'rm', name)).toBe(name)
    expect(proxy.failed.map(({ method, fault }) => `${method} ${fault}`)).toEqual(['GET 500', 'POST reset'])
  })

  test('lets a call hang until the faults are cleared', async () => {
    proxy.fail({ path: /^\/containers\/json/, answer: 'hang' })
    const listed = docker('ps', '-q').then(() => 'answered', () => 'failed')
    await expect.poll(() => proxy.failed.some(({ fault }) => fault === 'hang')).toBe(true)
    expect(await Promise.race([listed, docker('version', '--format', '{{.Server.Version}}').then(() => 'others go on')])).toBe('others go on')
    proxy.clear()
    expect(await listed).toBe('failed')
  })
})
