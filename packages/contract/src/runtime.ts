import type { Answer, Failure } from './answer.js'
import type { Capsule, CapsuleVolume } from './capsule.js'
import type { ContainerEnd } from './container-end.js'
import type { CallOptions, LiveProvider } from './live-provider.js'

/** `pause` freezes the processes; `none` leaves them running. */
export type StopMode = 'down' | 'stop' | 'pause' | 'none'

/** The four states of a stack, from its containers themselves. `unknown` is never treated as stopped. */
export type StackCondition = 'running' | 'stopped' | 'not-found' | 'unknown'

export type ContainerCondition = 'running' | 'paused' | 'restarting' | 'created' | 'exited' | 'removing' | 'dead'

export interface Dependency {
  readonly service: string
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully'
  /** False for `required: false`: absent is all right. */
  readonly required: boolean
}

export interface ContainerMount {
  readonly kind: 'bind' | 'volume' | 'tmpfs' | 'other'
  /** The volume's name; empty for others. */
  readonly name: string
  /** On the host; empty for tmpfs. */
  readonly source: string
  readonly target: string
  readonly writable: boolean
  /** A volume that only this container's creation named. */
  readonly isAnonymous: boolean
  /** The volume's driver; empty for others. */
  readonly driver: string
  /** What the container mounts below its target shows on the host, too. Absent: it does not. */
  readonly isShared?: boolean
}

/** One container, as it was when the stack was looked at. */
export interface ContainerState {
  readonly id: string
  readonly name: string
  readonly service: string
  /** Counting from 1 within its service. */
  readonly number: number
  /** Made by `run` rather than `up`. */
  readonly isOneOff: boolean
  readonly condition: ContainerCondition
  /** `none` without a healthcheck. */
  readonly health: 'healthy' | 'unhealthy' | 'starting' | 'none'
  readonly startedAt: string | null
  /** Of one that ended, and of one that waits for its restart; `null` while it runs. */
  readonly exitCode: number | null
  readonly restartPolicy: string
  /** How often its restart policy has restarted it since it was last started in another way. Absent: not known. */
  readonly restartCount?: number
  /** How the run before the present one ended, of a container that its policy has restarted. Absent: not known. */
  readonly lastExitCode?: number
  readonly image: { readonly reference: string; readonly id: string }
  readonly configHash: string
  readonly dependsOn: readonly Dependency[]
  readonly networkMode: string
  /** Like `networkMode`, whose process IDs and whose shared memory it sees; absent in journals of earlier versions. */
  readonly pidMode?: string
  readonly ipcMode?: string
  readonly networks: readonly string[]
  readonly mounts: readonly ContainerMount[]
  /** Seconds that the container itself asks for before it is killed; the engine's default where it asks for none. */
  readonly stopGraceSeconds: number
  /** Whether the container asks for `stopGraceSeconds` itself, by its label or its service's `stop_grace_period`. Absent in journals of earlier versions. See `stopGraceOf`. */
  readonly isStopGraceExplicit?: boolean
  /** The signal that asks it to stop, such as `SIGINT`. Absent: the engine's default, SIGTERM, or not known. */
  readonly stopSignal?: string
  /** Its first process is a small init, which passes signals on (`init: true`). Absent: it is not, or not known. */
  readonly hasInit?: boolean
  readonly isRemovedWhenStopped: boolean
  /** Only labels that begin with `stackbk.`. */
  readonly labels: Readonly<Record<string, string>>
}

/** One compose project that belongs to the stack's folder. */
export interface ProjectState {
  readonly name: string
  readonly workingDirectory: string
  /** The same folder as containers of the project name it: by way of symbolic links, or as a manager in a container sees it. Absent in journal entries of earlier versions. */
  readonly otherWorkingDirectories?: readonly string[]
  /** Only these services of the project are the stack's: it was started by a file of another folder that includes the stack's. Absent: all are. */
  readonly services?: readonly string[]
  readonly configFiles: readonly string[]
  readonly environmentFiles: readonly string[]
  readonly containers: readonly ContainerState[]
}

/** All that is needed to bring a stack back to what it was. Plain JSON: it goes into the journal and comes back from there. */
export interface StackState {
  readonly schemaVersion: 1
  /** The stack's real directory. */
  readonly directory: string
  readonly condition: StackCondition
  /** Why it is `unknown`. */
  readonly failure: Failure | null
  /** All projects of the folder, with every container, running or not. */
  readonly projects: readonly ProjectState[]
  /** Containers of elsewhere that live in a namespace (network, process IDs, shared memory) of one of these, or of one another. */
  readonly dependents: readonly ContainerState[]
  readonly takenAt: string
}

/** A project with containers that run, whatever folder it belongs to. */
export interface RunningProject {
  readonly name: string
  /** As it was named to the runtime: it need not be on this host. */
  readonly workingDirectory: string
  /** Those that run. */
  readonly containers: readonly { readonly id: string; readonly name: string }[]
}

/** What a stop would meet. */
export interface Preflight {
  /** The compose model resolves; if not, why. Nothing is stopped then, unless `canStartWithoutModel`. */
  readonly model: Answer<void>
  /** The containers can be stopped and started as they are, although the model does not resolve. `down` is not asked for then. */
  readonly canStartWithoutModel?: boolean
  /** References of images that a start would need and that are not here. */
  readonly missingImages: readonly string[]
  /** Why `down` would not give back the very containers that ran; empty when it would. Sentences for the report. */
  readonly whyNotDown: readonly string[]
  /** Of `whyNotDown`, the sentences about files that containers keep in their own writable layer: no snapshot holds those. Absent: none, or not looked for. */
  readonly dataInContainers?: readonly string[]
  /** What of that no start could make good, such as a container that nothing says how to make again: not even a `down` that was asked for is done then. */
  readonly whyNeverDown?: readonly string[]
  /** What stopping would lose for good whatever the mode, such as a container that removes itself. Nothing is stopped then. */
  readonly wouldLose: readonly string[]
  /**
   * Why a container that runs could not be started again, or would come back with other data. Nothing is stopped then. Absent: nothing
   * of the kind was found, or it was not looked for.
   */
  readonly startObstacles?: readonly StartObstacle[]
}

export interface StartObstacle {
  /** `fails`: the container could not be started. `other-data`: it would come back with another folder than it has now, or an empty one. */
  readonly kind: 'fails' | 'other-data'
  /** A clause for the report, such as `the device /dev/ttyUSB0, which web-app-1 uses, is not there`. */
  readonly message: string
  readonly fix: string
  /** Only the container that is there meets it: one that is made again after a `down` does not. Absent: both do. */
  readonly isGoneWithDown?: true
}

export interface PreflightOptions extends CallOptions {
  /**
   * What the caller means to do; with `auto` it chooses between `down` and `stop` by the answer. Some of what speaks against `down`
   * is looked for only where the stack may be taken down: containers of others that it would meet, and what containers keep in
   * their own layer, which takes time to find out. Absent: it may be.
   */
  readonly stopMode?: StopMode | 'auto'
}

/** A running container that does not belong to the stack and has a mount through which it can write to a source of the stack. */
export interface PossibleWriter {
  readonly id: string
  readonly name: string
  /** As the container was made from it. */
  readonly image: string
  /** Only labels that begin with `stackbk.`. */
  readonly labels: Readonly<Record<string, string>>
  /** What it can write to: the path of the source, or paths inside it. Absolute; symbolic links resolved. */
  readonly paths: readonly string[]
}

/** A running container that does not belong to the stack and only reads what it has mounted of a place. */
export interface PlaceReader {
  readonly name: string
  /** What it has mounted: the path of the place, or paths inside it. Absolute; symbolic links resolved. */
  readonly paths: readonly string[]
}

export type SourceKind = 'directory' | 'model-file' | 'named-volume' | 'anonymous-volume' | 'bind'

/** A place that the stack reads or writes. */
export interface Source {
  readonly kind: SourceKind
  /** Absolute; symbolic links resolved. */
  readonly path: string
  /** The volume's name; empty for others. */
  readonly volume: string
  readonly services: readonly string[]
  readonly isWritable: boolean
  /** False for sockets, devices, the system's own trees, and volumes whose driver keeps them elsewhere. */
  readonly canBeRead: boolean
  /** Why it cannot be read; empty when it can. */
  readonly whyNot: string
  /** A folder of the whole host, such as `/home`, that is in no backup as a whole, though a folder inside it may be. Absent: it is none, or lies in a tree of the system's own. */
  readonly isHostFolder?: true
  /** It cannot be read because this user may not: another one could. */
  readonly isForbidden?: boolean
  /** The engine has it, and this host does not: the engine runs in a virtual machine, say, or the folder was removed. Absent: it is on this host, or that is not known. */
  readonly isNotOnHost?: boolean
  /** Other paths by which it was named, through symbolic links. */
  readonly links?: readonly string[]
  /**
   * A volume that is declared and that the runtime does not have: `nowhere`, or `elsewhere` when a container of another project
   * seems to have its data in a volume of another name. `whyNot` says which; `path` is where the volume would be.
   */
  readonly missing?: 'nowhere' | 'elsewhere'
  /** The file system's device number; `null` when the path is not there. */
  readonly device: number | null
  /**
   * What lies there now is mounted by a container of the stack, or by the engine for one: it is gone while the stack is down, and
   * comes back with its start. Absent: it stays.
   */
  readonly isMountedByStack?: boolean
  /** The file system did not answer, so a start that needs this path would hang or fail. Absent: it answered. */
  readonly isUnanswered?: boolean
  /** Running containers that do not belong to this stack and use it too, by name. */
  readonly otherUsers: readonly string[]
  /** Those of them that have this very path, this volume or a path inside of it mounted, and not only a folder above. Absent: not known, so all of them may. */
  readonly usersInside?: readonly string[]
  /**
   * Running containers that do not belong to this stack, have this very path, this volume or a path inside of it mounted, and cannot
   * write there: after an exchange by a rename they go on with what was there before. Absent: none, or not looked for.
   */
  readonly readersInside?: readonly PlaceReader[]
  /** More about those of `otherUsers`. Absent: only their names are known. */
  readonly possibleWriters?: readonly PossibleWriter[]
}

export interface DescribeOptions extends CallOptions {
  /** Also what is needed to make the containers again where the model does not resolve, see {@link CapsuleProject.containers}. A runtime that cannot say that leaves it out. */
  readonly withContainers?: boolean
}

/** A place of which it is asked who writes to it, see {@link Runtime.writersAt}: a path, or a volume by its name. The other one of the two is empty. */
export type PlaceInQuestion = Pick<Source, 'path' | 'volume'>

/**
 * Who can write to a place. `path`: absolute, symbolic links resolved; of a volume, where its data lies now, or empty if the runtime
 * has none of that name. The rest is as in {@link Source}.
 */
export type PlaceWriters = PlaceInQuestion & Required<Pick<Source, 'otherUsers' | 'usersInside' | 'possibleWriters'>> & Pick<Source, 'readersInside'>

export interface StopEvidence {
  readonly ended: readonly ContainerEnd[]
  /** Names of containers that still run in spite of the stop. */
  readonly stillRunning: readonly string[]
}

export interface StopRequest extends CallOptions {
  readonly mode: StopMode
  /** The grace of a container that asks for none itself; see `stopGraceOf`. */
  readonly graceSeconds: number
}

export interface StartRequest {
  /** What was asked of the stop, or of the one before a crash. */
  readonly mode: StopMode
  /** How long a service may take to become healthy where another waits for that; its own healthcheck's needs count if longer, up to 10 minutes. */
  readonly healthTimeoutMs: number
  /** The machine was restarted since the stop: no stop of before is still under way, and clocks tell nothing. */
  readonly isAfterReboot?: boolean
}

/** Whether all that ran before runs again. */
export interface UpReport {
  readonly isUp: boolean
  /** Services that do not run, or are not healthy though they were; with the reason each. */
  readonly missing: readonly { readonly service: string; readonly reason: string }[]
  /** One-shots that ended with 0 since: these count as up. */
  readonly completed: readonly string[]
  /** Services that run and whose healthcheck had no verdict yet when the wait ended: these count as up. Absent: none. */
  readonly notYetHealthy?: readonly { readonly service: string; readonly reason: string }[]
}

/** What was seen of a stack between `watch` and now. Times are milliseconds since the epoch, from the engine's own events. */
export interface WatchReport {
  /** The event stream broke off meanwhile: what is below may lack something. */
  readonly isLossy: boolean
  readonly firstStopAt: number | null
  readonly lastStartAt: number | null
  /** The last of the services that were healthy before became healthy again, or started where it has no healthcheck. */
  readonly readyAt: number | null
  readonly ended: readonly ContainerEnd[]
  /** Starts and unpauses of containers that use the stack's sources, its own among them, by time. */
  readonly starts: readonly {
    readonly at: number
    readonly container: string
    readonly isOfStack: boolean
    /** Of a container that does not belong to the stack, as far as it could be asked: what {@link PossibleWriter} says of it. */
    readonly writer?: Omit<PossibleWriter, 'paths'>
  }[]
  /** Containers of other projects that ran before, share a network with the stack and have ended since its stop. Absent: not known. */
  readonly neighboursEnded?: readonly NeighbourEnd[]
}

/** How a container ended that shares a network with a stack and does not belong to it. */
export interface NeighbourEnd {
  readonly container: string
  /** Its Compose project; empty for none. */
  readonly project: string
  readonly exitCode: number | null
  /** Networks that it shares with the stack. */
  readonly networks: readonly string[]
  /** Milliseconds since the epoch. */
  readonly at: number
  /** It was started since and has not ended again, or its restart policy is known to start it again after its last end. */
  readonly runsAgain: boolean
}

/** The time in which a stack was read, and what is known of its stop, for {@link Runtime.ranDuring}. Milliseconds since the epoch. */
export interface ReadingTime {
  readonly from: number
  readonly until: number
  /** When it was last asked who else could write to its data. */
  readonly othersFrom: number
  /** How it was stopped; `none` where it did not run. */
  readonly mode: StopMode
  readonly ended: readonly ContainerEnd[]
}

/** An open ear on the engine's events. */
export interface Watch {
  report(): WatchReport
  close(): Promise<void>
}

/**
 * Where the images come from that a capsule names and this host lacks:
 * - `local`: from nowhere; that they lack is a failure
 * - `digest`: from their registry, by their digest and never by a tag, which may mean another version by now
 * - `tag`: as `digest`, and by the tag where no digest is known; such an image is named in the answer
 *
 * Where the recorded image is neither here nor to be had, but its reference means another one here (built anew, pulled since),
 * that one is taken rather than any tag of a registry, and named.
 */
export type ImageSource = 'local' | 'digest' | 'tag'

/** A stack to be made from a capsule in isolation, see {@link Runtime.startIsolated}. */
export interface Scratch {
  /** The prefix of everything that is made, and the value of the label by which it is removed. Several stacks may share it. Lower-case letters, digits, `-` and `_`. */
  readonly label: string
  /** A folder of the rehearsal's own: every bind mount and volume is below it. */
  readonly directory: string
  /** From an original path to where it was restored to, which is below `directory`. What lies below an original path is found below its place. */
  readonly restored: ReadonlyMap<string, string>
  readonly images: ImageSource
  readonly healthTimeoutMs: number
  /** Names this stack among those that share the label: everything that is made for it also carries the label `stackbk.scratch.part` with this value, see {@link Runtime.removePart}. Absent: it has no name. */
  readonly part?: string
}

/** What a stack needs of the host in order to run in isolation, as far as that is known. */
export interface IsolationNeeds {
  /** Networks that are made for it. */
  readonly networks: number
  /** Bytes of memory: what its containers use now, or else the limit that they have. A container of which neither is known is not counted. */
  readonly memoryBytes: number
  /** Containers whose need of memory is not known. */
  readonly containersOfUnknownMemory: number
}

/** What the host has left for networks. */
export interface FreeNetworks {
  readonly count: number
  /** What the user can do to have more, as a sentence in the imperative. */
  readonly fix: string
}

export interface IsolatedStack {
  /** Everything that was started runs, healthy where it has a healthcheck, or has ended well. */
  readonly healthy: boolean
  /** What does not, with the reason each. */
  readonly missing: UpReport['missing']
  readonly containers: readonly { readonly service: string; readonly name: string; readonly id: string }[]
  /** What cannot be rehearsed in isolation and was left out or replaced, each with its reason. Sentences for the report. */
  readonly leftOut: readonly string[]
  /** As in {@link RebuildReport}. */
  readonly unprovenImages: RebuildReport['unprovenImages']
  /** Services that should have been started and could not be made, such as those whose image is not to be had; the others were. Absent: none. */
  readonly unavailable?: readonly { readonly service: string; readonly reason: string; readonly fix: string }[]
  /** Those of `missing` that reach for something outside of the stack, which isolation takes away, with what is known about it: that they are missing says nothing about their data. Absent: none is known. */
  readonly outsideNeeds?: readonly { readonly service: string; readonly reason: string }[]
}

/** A volume that a rebuild has made, or has found. */
export interface RebuiltVolume {
  /** What the capsule says of it, the path in the snapshot too. */
  readonly recorded: CapsuleVolume
  /** Its name now: that of an anonymous one is new. */
  readonly name: string
  /** Where its data lies on this host now. */
  readonly path: string
  /** False: it was there before, with whatever is in it. */
  readonly isNew: boolean
}

/** What a rebuild is to make, as far as it can be judged before anything is there. */
export interface RebuildQuestion extends CallOptions {
  /** The stack's folder. */
  readonly directory: string
  /** Only these, without what they depend on; empty: all that the capsule says was there. */
  readonly services: readonly string[]
  readonly images: ImageSource
  /** Also volumes whose options point to a device, a network or a host path. */
  readonly allowHostVolumes: boolean
  /** Make networks, volumes and containers, but start nothing. */
  readonly noStart: boolean
  /** Paths that will be there when it is rebuilt, whatever is there now: what is about to be restored. Whatever lies below them counts too. */
  readonly restoredPaths: readonly string[]
  /** Folders of other stacks that have come, or come in the same run, to another path than they had: mounts below them follow. Absent: none. */
  readonly moved?: readonly MovedFolder[]
  /** Make external networks and volumes that are not here, as the capsule describes them. Absent: false. */
  readonly createExternal?: boolean
}

/** A folder that has another path than it had when the snapshot was made. */
export interface MovedFolder {
  readonly from: string
  readonly to: string
}

/**
 * - `no-model`: neither the compose files nor the capsule say how to make the containers; only files that are not there yet may
 * - `project-taken`: containers of another folder carry the project's name
 * - `name-taken`, `port-taken`: a container name or a port of the host is in use, and by whom
 * - `missing-network`, `missing-volume`: an external one that is not here
 * - `host-volume`: a volume whose options point to a device, a network or a host path, and those were not allowed
 * - `other-volume`: a volume of that name is here, with another driver or other options than the recorded ones, and is taken as it is; or one would be made new and empty that the capsule does not know
 * - `missing-path`: a path of the host that a container mounts and that is neither here nor about to be restored
 * - `missing-variable`: a secret or config that comes from an environment variable which is not set
 * - `missing-image`: an image that is not here and cannot come from where it may
 * - `unproven-image`: an image that is not known to be the recorded one
 * - `engine-elsewhere`: the engine keeps its volumes where this host cannot write to, as in a virtual machine, so that their data cannot come back
 * - `user-namespace`: the engine maps users in another way than the one of the snapshot, so owners in the data mean others
 */
export type RebuildProblemCode =
  | 'no-model'
  | 'project-taken'
  | 'name-taken'
  | 'port-taken'
  | 'missing-network'
  | 'missing-volume'
  | 'host-volume'
  | 'other-volume'
  | 'missing-path'
  | 'missing-variable'
  | 'missing-image'
  | 'unproven-image'
  | 'engine-elsewhere'
  | 'user-namespace'

/** Something that stands against a rebuild. */
export interface RebuildProblem {
  /** With an `error` the rebuild fails, before it has touched anything. */
  readonly severity: 'error' | 'warning'
  readonly code: RebuildProblemCode
  /** One sentence with the name of the thing, without a full stop. */
  readonly message: string
  /** What the user can do about it; empty where nothing. */
  readonly fix: string
  /** The network or volume that is missing, by its name. Absent: its name is looked for in the message. */
  readonly name?: string
}

/** What a rebuild would meet. Plain data. */
export interface RebuildOutlook {
  readonly problems: readonly RebuildProblem[]
  /** What ran and does not come back, such as one-off containers and networks joined by hand. Sentences for the report. */
  readonly losses: readonly string[]
}

export interface RebuildRequest extends Omit<RebuildQuestion, 'restoredPaths'> {
  readonly healthTimeoutMs: number
  /**
   * Called before a file is written into the stack's folder, such as a Compose override for files that name the folder's old path.
   * It throws if the file must not be written, and the rebuild fails then. Absent: no file is written.
   */
  readonly onWriteFile?: (path: string) => void
  /**
   * Called once, when the volumes of these services exist, anonymous ones with the containers that have them, and before any
   * container starts: let each hold what the snapshot holds of it, its root's owner and mode too, and **nothing else**. The
   * engine copies what an image has at the place of a mount into a volume that is new, and that has to go. Volumes whose data is
   * not on this host (see {@link CapsuleVolume.path}) are left out. A failure ends the rebuild.
   */
  readonly fillVolumes: (volumes: readonly RebuiltVolume[]) => Promise<Answer<void>>
}

export interface RebuildReport extends UpReport {
  /** Images that are not known to be the recorded ones, such as those that came by their tag; with the reason each. */
  readonly unprovenImages: readonly { readonly service: string; readonly reference: string; readonly reason: string }[]
  /** As {@link RebuildOutlook.losses}, and what turned out to be lost on the way. */
  readonly losses: readonly string[]
  /** What the user has to know of how it was made. Absent: nothing. */
  readonly warnings?: readonly RebuildWarning[]
}

/**
 * - `override-written`: a Compose override was written into the stack's folder, since the compose files name the old path of the folder
 * - `files-differ`: the compose files say something else than what was made, so that `docker compose up` would change it
 * - `other-subnet`: an external network was made with other addresses than the recorded ones
 */
export type RebuildWarningCode = 'override-written' | 'files-differ' | 'other-subnet'

/** Something that a rebuild did in another way than recorded. */
export interface RebuildWarning {
  readonly code: RebuildWarningCode
  /** One sentence with the name of the thing, without a full stop. */
  readonly message: string
  /** What the user can do about it; empty if nothing. */
  readonly fix: string
}

/** What a command in a container came to. */
export interface InsideResult {
  /** `null` when it was given up at its limit; what it started may go on in the container for as long as that runs. */
  readonly exitCode: number | null
  /** Both streams, their end. */
  readonly output: string
}

/**
 * What runs the containers. Rules:
 * - nothing here builds, and only what is told so by an {@link ImageSource} pulls;
 * - `start` starts exactly what `state` says ran, services that the user had stopped stay stopped;
 * - a failing question is a failure, never an empty answer.
 */
export interface Runtime extends LiveProvider {
  /** Names the engine in a way that is the same for every user and configuration that shares it. Fails for one that is not on this host (kind `configuration`). */
  identity(options?: CallOptions): Promise<Answer<{ readonly id: string; readonly version: string }>>

  /** Folders of all projects that the engine knows, running or not, as they were named to it. For a first configuration. Absent: not known. */
  projectFolders?(options?: CallOptions): Promise<Answer<readonly string[]>>

  /** Every project of which a container runs. To find those that no enabled stack covers. Absent: not known. */
  runningProjects?(options?: CallOptions): Promise<Answer<readonly RunningProject[]>>

  /** The states of these real directories, in their order, from one look at the engine. Fails as a whole when the engine does not answer. */
  inspect(directories: readonly string[], options?: CallOptions): Promise<Answer<readonly StackState[]>>

  preflight(state: StackState, options?: PreflightOptions): Promise<Answer<Preflight>>

  /**
   * Returns a sentence for each container that keeps files in its own writable layer which a new container would lack, or of which
   * that cannot be found out in time. Absent: not known.
   */
  dataInContainers?(state: StackState, options?: CallOptions): Promise<Answer<readonly string[]>>

  /** Every path and volume that the stack reads or writes, the folder itself first; each path once. */
  sources(state: StackState, options?: CallOptions): Promise<Answer<readonly Source[]>>

  /**
   * Returns who can write to each of these places now, in their order: every running container of the host but for those that
   * `except` names by their IDs. Unlike `sources` it needs no state and no model, so a recovery can ask it for a stack that has been
   * taken down, and for volumes that the stack no longer uses. A path that is not there has no writers. Absent: only `sources` tells.
   */
  writersAt?(places: readonly PlaceInQuestion[], request: { readonly except: readonly string[] } & CallOptions): Promise<Answer<readonly PlaceWriters[]>>

  /** Stops what runs. An answer that fails may have stopped a part: the caller starts again in every case. */
  stop(state: StackState, request: StopRequest): Promise<Answer<StopEvidence>>

  /** Starts exactly what ran, in dependency order, waiting for health where a dependency asks for it. Cannot be cancelled. Right also when all or a part already runs. */
  start(state: StackState, request: StartRequest): Promise<Answer<void>>

  /**
   * Waits until every service that ran runs, started after `since`, healthy where it was before. Polls facts, with a limit: a
   * healthcheck that needs longer than `timeoutMs` gets its own time, up to 10 minutes, and a service that has no verdict by then
   * counts as up. `isAfterReboot`: the machine was restarted since the stop, so what runs now was started since, whatever the clock says.
   */
  waitUntilUp(state: StackState, request: { readonly since: Date; readonly timeoutMs: number; readonly isAfterReboot?: boolean } & CallOptions): Promise<Answer<UpReport>>

  /**
   * Waits until containers that were asked to stop, perhaps by a client that died since, have done so. `graceSeconds`: the
   * grace of those that ask for none themselves, see `stopGraceOf`. Fails with `timed-out` while a stop is still under way.
   */
  waitUntilSettled(state: StackState, request: { readonly timeoutMs: number; readonly graceSeconds?: number } & CallOptions): Promise<Answer<void>>

  /** Listens from before the answer comes; `stop` comes after it. */
  watch(state: StackState): Promise<Answer<Watch>>

  /**
   * Finds out what ran while a stack was read where `watch` failed or lost events: from the events that the engine remembers if it
   * remembers all of them, else from the times at which its containers, and those of elsewhere that can write to its sources,
   * started and finished. To be asked when the stack runs again. `isLossy`: these do not prove it either. Absent: not known.
   */
  ranDuring?(state: StackState, reading: ReadingTime, options?: CallOptions): Promise<Answer<WatchReport>>

  /** What recovery will need to know; how the containers ended is filled in by the caller. */
  describe(state: StackState, options?: DescribeOptions): Promise<Answer<Capsule>>

  /**
   * What ran by this capsule, as a state that `start` takes, its containers those that are there now as far as they are. For a
   * stack of which no better record is left.
   */
  recall(capsule: Capsule, options?: CallOptions): Promise<Answer<StackState>>

  /**
   * What stands against rebuilding a stack from its capsule. Touches nothing, so that it can be asked for all stacks before the
   * first one is touched, in a dry run too. What the stack's own containers hold now (ports, names) does not count: they are gone
   * by the time it is rebuilt.
   */
  canRebuild(capsule: Capsule, question: RebuildQuestion): Promise<Answer<RebuildOutlook>>

  /**
   * From a capsule to running containers, images pinned to what the capsule holds: exactly what ran, paused what was paused,
   * and what the user had stopped is made and not started. None of the containers to be made are there when it is called, not even
   * stopped ones, and what `canRebuild` calls an error fails it before it touches anything. An answer that fails later may have
   * made a part: `stop` with mode `down` of the stack's state takes that away again, but for volumes.
   */
  rebuild(capsule: Capsule, request: RebuildRequest): Promise<Answer<RebuildReport>>

  /**
   * A rehearsal that cannot reach production: everything renamed, nothing published, no host namespace, device, socket, driver
   * option or path outside the scratch folder, no way out of its networks. That is looked at once more in the containers made,
   * before the first one starts: a finding is a failure, and nothing of the rehearsal stays. Everything made carries the label
   * `stackbk.scratch=LABEL`. Any other failure may leave a part: `removeByLabel` takes it away. A failure that may pass when
   * other stacks of the drill are removed, such as no free address pool for a network, has `transient: true`. Where
   * `removePart` is there, several stacks are started at the same time.
   */
  startIsolated(capsule: Capsule, scratch: Scratch, options?: CallOptions): Promise<Answer<IsolatedStack>>

  /** Runs a command in a running container, by argv and without a shell. That it exits with another code than 0 is an answer; that it cannot be run is a failure. */
  runInside(containerId: string, argv: readonly string[], request: { readonly timeoutMs: number } & CallOptions): Promise<Answer<InsideResult>>

  /** Removes these volumes, with what is in them. One that a container has mounted stays, and one that is not there is no failure. */
  removeVolumes(names: readonly string[], options?: CallOptions): Promise<Answer<{ readonly removed: readonly string[] }>>

  /** Returns what a stack will need in isolation. Absent: not known. */
  isolationNeeds?(capsule: Capsule, options?: CallOptions): Promise<Answer<IsolationNeeds>>

  /**
   * Returns about how many more networks can be made in isolation. 0 is certain: one was tried. That one carries the label
   * `stackbk.scratch=LABEL` and is gone when the answer comes. Absent: not known.
   */
  freeNetworks?(label: string, options?: CallOptions): Promise<Answer<FreeNetworks>>

  /** Removes every container, network and volume that carries the label `stackbk.scratch=LABEL`, and nothing else. */
  removeByLabel(label: string, options?: CallOptions): Promise<Answer<{ readonly removed: number }>>

  /** Removes those of them that also carry the label `stackbk.scratch.part=PART`, see {@link Scratch.part}. Absent: a drill starts one stack after another. */
  removePart?(label: string, part: string, options?: CallOptions): Promise<Answer<{ readonly removed: number }>>
}
