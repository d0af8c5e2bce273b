import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

const engineSocket = process.env['DOCKER_HOST']?.replace(/^unix:\/\//, '') ?? '/var/run/docker.sock'

/**
 * The real engine as if it ran in a virtual machine: it names its files below `rootFolder`, and its system by `name`. What is `hidden`
 * lies below that folder too. Returns its socket's path. Ends with the test.
 */
export async function virtualEngine({ name, rootFolder, hidden = [] }: { readonly name: string; readonly rootFolder: string; readonly hidden?: readonly string[] }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stackbk-virtual-'))
  const socketPath = join(folder, 'engine.sock')
  const changed = (path: string, body: string): string => {
    const text = hidden.reduce((all, path) => all.replaceAll(path, `${rootFolder}${path}`), body)
    if (!path.endsWith('/info')) return text.replaceAll('/var/lib/docker/', `${rootFolder}/`)
    return JSON.stringify({ ...(JSON.parse(text) as object), OperatingSystem: name, KernelVersion: '0.0.0-vm', DockerRootDir: rootFolder })
  }
  const server = createServer((incoming, outgoing) => {
    const path = (incoming.url ?? '').replace(/\?.*$/, '')
    const forwarded = request({ socketPath: engineSocket, method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
      if (!/\/(?:info|json)$|\/volumes/.test(path)) {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(outgoing)
        return
      }
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () => {
        const { 'content-length': _length, ...headers } = answer.headers
        outgoing.writeHead(answer.statusCode ?? 500, headers)
        outgoing.end(changed(path, Buffer.concat(parts).toString('utf8')))
      })
    })
    forwarded.on('error', () => outgoing.destroy())
    outgoing.on('close', () => forwarded.destroy())
    incoming.pipe(forwarded)
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await rm(folder, { recursive: true, force: true })
  })
  return socketPath
}
