import type { ContainerEnd } from './container-end.js'

/** What a service's containers were made of. */
export interface CapsuleImage {
  readonly service: string
  /** As the model names it. */
  readonly reference: string
  /** The engine's own ID of what ran; empty where the image is not on the host. */
  readonly id: string
  /** `NAME@sha256:...`, where a registry gave it. */
  readonly digests: readonly string[]
}

/** A volume that the model declares or a container has mounted. */
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
  /** For an anonymous one: whose it is; empty for others. */
  readonly service: string
  /** For an anonymous one: which of the service's containers has it, counting from 1; 0 for others, and for one of a one-off container. */
  readonly containerNumber: number
  /** Where it is mounted in the container. */
  readonly target: string
}

/** A range of addresses of a network. */
export interface CapsuleSubnet {
  readonly subnet: string
  readonly gateway: string
  readonly ipRange: string
  /** Addresses that no container gets, by name. Absent: none, or a capsule of an earlier version. */
  readonly auxiliaryAddresses?: Readonly<Record<string, string>>
}

/** A network that the model declares or a container is connected to. */
export interface CapsuleNetwork {
  readonly name: string
  /** The key in the model; empty for one that a container was connected to by hand. */
  readonly key: string
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly isExternal: boolean
  /** No way out of it. */
  readonly isInternal: boolean
  /** Containers of elsewhere may be connected by hand. */
  readonly isAttachable: boolean
  readonly hasIpv6: boolean
  /** The ranges of its addresses, those that the engine chose too. */
  readonly subnets: readonly CapsuleSubnet[]
  /** What gives its addresses, if that is not the engine's own way. Absent: the engine's own, or a capsule of an earlier version. */
  readonly ipam?: { readonly driver: string; readonly options: Readonly<Record<string, string>> }
}

/** One compose project of the stack's folder. */
export interface CapsuleProject {
  readonly name: string
  readonly workingDirectory: string
  /** The files it was started with, in their order. */
  readonly configFiles: readonly string[]
  readonly environmentFiles: readonly string[]
  /** Those of the services that ran. */
  readonly profiles: readonly string[]
  /** The model as Compose resolved it, with the volumes, paths and networks that the containers had, where the files named others that were not applied yet; `null` where it did not resolve. Its environment may hold secrets: the snapshot is encrypted, the file's mode is 0600. */
  readonly model: unknown
  readonly images: readonly CapsuleImage[]
  readonly volumes: readonly CapsuleVolume[]
  readonly networks: readonly CapsuleNetwork[]
  /** Containers that ran, by service. */
  readonly replicas: Readonly<Record<string, number>>
  /** Services with a container that was paused. */
  readonly pausedServices: readonly string[]
  /** Services with a container whose healthcheck failed: it is not waited for when they come back. Absent in capsules of earlier versions. */
  readonly unhealthyServices?: readonly string[]
  /** Services that the user had stopped. */
  readonly stoppedServices: readonly string[]
  /** The containers as the engine itself describes them, from which it can make them again without a model. Their environment may hold secrets. Absent: not asked for, as in every snapshot. */
  readonly containers?: readonly unknown[]
}

/** The stack beside its data: everything about it that no file in its folder says. One JSON file in each snapshot. */
export interface Capsule {
  readonly schemaVersion: 1
  readonly stack: string
  /** The stack's real folder. */
  readonly directory: string
  /** The real path of the stacks folder of its host: a stack right in it goes to the stacks folder of another host. Absent in capsules of earlier versions. */
  readonly stacksDirectory?: string
  readonly host: string
  /** Tells two machines of one hostname apart; a hash of the system's own ID. Absent where it has none, and in capsules of earlier versions. */
  readonly machineId?: string
  /** ISO 8601. */
  readonly createdAt: string
  /** As it was before the backup touched it. */
  readonly condition: 'running' | 'stopped' | 'not-found' | 'unknown'
  readonly projects: readonly CapsuleProject[]
  /** How the containers ended before the snapshot; empty where nothing was stopped. */
  readonly ended: readonly ContainerEnd[]
  /** `userNamespace`: `rootless` or `userns-remap` where the engine's users are not the host's, else empty. */
  readonly engine: { readonly name: string; readonly version: string; readonly userNamespace: string }
  /** Tool name to version. */
  readonly tools: Readonly<Record<string, string>>
  /** Sentences on anything of the stack that neither the snapshot nor the rest of the capsule holds. */
  readonly notes: readonly string[]
  /** The user's patterns by which files were left out of this snapshot: a recovery keeps what they match. Absent in snapshots of older versions. */
  readonly excludes?: readonly string[]
  /** The paths of the snapshot below which alone relative patterns of `excludes` acted. Absent in snapshots of older versions: they acted anywhere in a path. */
  readonly excludeRoots?: readonly string[]
  /** Bind mounts outside of the folder that the stack writes to and this snapshot holds: its data, which a recovery replaces. Absent in snapshots of older versions. */
  readonly writableBinds?: readonly string[]
}
