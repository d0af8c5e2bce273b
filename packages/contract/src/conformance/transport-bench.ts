import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { TransferRequest, Transport } from '../transport.js'
import { valueOf } from './answers.js'
import { expectEqual } from './expectations.js'

/** A live transport whose remote is empty, and an empty folder on this host. */
export interface TransportSubject {
  readonly transport: Transport
  readonly localRoot: string
  /** The same kind of transport with a remote that is not there: a server that is down, a disk that is not mounted. Without it that is not tested. */
  readonly unreachable?: Transport
  /** Removes what was made for it; the suite closes the transport itself. */
  readonly close?: () => Promise<void>
}

/** The subject with the steps that tests share. A file's content is a text or bytes. */
export class TransportBench {
  readonly transport: Transport
  readonly unreachable: Transport | null
  readonly #home: string
  #round = 0

  constructor({ transport, localRoot, unreachable }: TransportSubject) {
    this.transport = transport
    this.unreachable = unreachable ?? null
    this.#home = localRoot
  }

  get root(): string {
    return join(this.#home, String(this.#round))
  }

  /** From here on the folder on this host is another, empty one. */
  async clear(): Promise<void> {
    this.#round += 1
    await mkdir(this.root, { recursive: true })
  }

  async write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.root, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, content)
    }
  }

  async upload(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    await this.write(files)
    const names = Object.keys(files)
    expectEqual('files that an upload with whenSameSize: replace has moved', valueOf(await this.transport.upload({ ...this.request(names), whenSameSize: 'replace' })).files, names.length)
  }

  request(files: readonly string[]): TransferRequest {
    return { files, localRoot: this.root, whenSameSize: 'keep' }
  }

  async paths(prefix = ''): Promise<string[]> {
    return valueOf(await this.transport.list(prefix)).map(({ path }) => path).toSorted()
  }

  async text(path: string): Promise<string> {
    return Buffer.from(valueOf(await this.transport.read(path))).toString()
  }

  async local(path: string): Promise<Buffer> {
    return readFile(join(this.root, path))
  }
}
