import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface LocalRegistry {
  /** Where it is; the engine takes this host's own addresses without TLS. */
  readonly host: string
  /** Of the manifest of its one image, which goes by the name `app` and the tag `1`. */
  readonly digest: string
  /** The paths that were asked for so far. */
  requests(): readonly string[]
  close(): Promise<void>
}

/** A registry with one image of this engine in it, to be pulled from and nothing else (the pull half of the OCI distribution specification). */
export async function localRegistry(imageId: string): Promise<LocalRegistry> {
  const blobs = await blobsOf(imageId)
  const config = blobs.get(imageId)!
  const layers = (JSON.parse(config.toString('utf8')) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: imageId, size: config.length },
      layers: layers.map((digest) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: blobs.get(digest)!.length })),
    }),
  )
  const digest = digestOf(manifest)
  const requests: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    if (path !== '/v2/') requests.push(path)
    const name = path.split('/').at(-1)!
    const isManifest = path === '/v2/app/manifests/1' || path === `/v2/app/manifests/${digest}`
    const content = path === '/v2/' ? Buffer.from('{}') : isManifest ? manifest : path.startsWith('/v2/app/blobs/') ? blobs.get(name) : undefined
    if (content === undefined) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': isManifest ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream', 'content-length': content.length, 'docker-content-digest': digestOf(content) })
    response.end(request.method === 'HEAD' ? undefined : content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    digest,
    requests: () => requests,
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

/** Every file that the engine saves with the image, by the digest of its content. */
async function blobsOf(imageId: string): Promise<ReadonlyMap<string, Buffer>> {
  const folder = await mkdtemp(join(tmpdir(), 'stackbk-registry-'))
  try {
    await run('docker', ['save', '-o', join(folder, 'image.tar'), imageId])
    await run('tar', ['-C', folder, '-xf', join(folder, 'image.tar')])
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((file) => file.isFile() && file.name !== 'image.tar')
    const contents = await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name))))
    return new Map(contents.map((content) => [digestOf(content), content]))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}
