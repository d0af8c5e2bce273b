import { readdirSync, type Dirent } from 'node:fs'

import { hasRawBytes, pathFromBytes, pathToBytes } from '@stackbk/contract'

/** Returns the path as Node's file functions take it: bytes where it is not UTF-8. */
export function fsPath(path: string): string | Buffer {
  return hasRawBytes(path) ? Buffer.from(pathToBytes(path)) : path
}

/** What a folder holds, by the exact name. */
export interface FolderEntry {
  readonly name: string
  isDirectory(): boolean
  isSocket(): boolean
}

/** Lists a folder. Two names that differ only in bytes that are not UTF-8 are two. Throws the system's error. */
export function readEntries(folder: string): readonly FolderEntry[] {
  return readdirSync(fsPath(folder), { encoding: 'buffer', withFileTypes: true }).map(entryOf)
}

/** The names alone. Throws the system's error. */
export function readNames(folder: string): readonly string[] {
  return readdirSync(fsPath(folder), { encoding: 'buffer' }).map(pathFromBytes)
}

function entryOf(entry: Dirent<Buffer>): FolderEntry {
  return { name: pathFromBytes(entry.name), isDirectory: () => entry.isDirectory(), isSocket: () => entry.isSocket() }
}
