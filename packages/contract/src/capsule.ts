import type { ContainerEnd } from './container-end.js'

export interface CapsuleImage {
  readonly service: string
  /** As the model names it. */
  readonly reference: string
  /** The engine's own ID of what ran. */
  readonly id: string
  /** `NAME@sha256:...`, where a registry gave it. */
  readonly digests: readonly string[]
}

export interface CapsuleVolume {
  readonly name: string
  /** The key in the model; empty for an anonymous one. */
  readonly key: string
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly isExternal: boolean
  readonly isAnonymous: boolean
  /** Where its data lies on the host, which is the path in the snapshot. */
  readonly path: string
  /** For an anonymous one: whose it is, and which of the service's containers, counting from 1; empty and 0 for others. */
  readonly service: string
  readonly containerNumber: number
  readonly target: string
}

export interface CapsuleNetwork {
  readonly name: string
  readonly key: string
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly isExternal: boolean
}

export interface CapsuleProject {
  readonly name: string
  readonly workingDirectory: string
  readonly configFiles: readonly string[]
  readonly environmentFiles: readonly string[]
  readonly profiles: readonly string[]
  /** The model as Compose resolved it; `null` where it did not resolve. Its environment may hold secrets: the snapshot is encrypted, the file's mode is 0600. */
  readonly model: unknown
  readonly images: readonly CapsuleImage[]
  readonly volumes: readonly CapsuleVolume[]
  readonly networks: readonly CapsuleNetwork[]
  /** Containers that ran, by service. */
  readonly replicas: Readonly<Record<string, number>>
  readonly pausedServices: readonly string[]
  /** Services that the user had stopped. */
  readonly stoppedServices: readonly string[]
}

/** The stack beside its data: everything about it that no file in its folder says. One JSON file in each snapshot. */
export interface Capsule {
  readonly schemaVersion: 1
  readonly stack: string
  readonly directory: string
  readonly host: string
  readonly createdAt: string
  readonly condition: 'running' | 'stopped' | 'not-found' | 'unknown'
  readonly projects: readonly CapsuleProject[]
  readonly ended: readonly ContainerEnd[]
  readonly engine: { readonly name: string; readonly version: string; readonly userNamespace: string }
  /** Tool name to version. */
  readonly tools: Readonly<Record<string, string>>
  /** Sentences on anything of the stack that the snapshot does not hold. */
  readonly notes: readonly string[]
}
