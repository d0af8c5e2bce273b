import type { Answer } from './answer.js'
import type { Secret } from './secret.js'

/** Every live provider can look at itself and be put away. */
export interface LiveProvider {
  /** Are the tools there, new enough and answering? Quick (under a second), asked before anything is touched. */
  ready(options?: CallOptions): Promise<Answer<void>>
  /** The same at length, a line for `doctor` each. Never fails: what is wrong is in the findings. */
  examine(options?: CallOptions): Promise<readonly Finding[]>
  /**
   * What a bare host needs of this provider besides stackbk's own configuration: a password that lies in a file or comes from a
   * command, the tool's own configuration. Asked for only when somebody wants a disaster kit. Absent: nothing.
   */
  keepsakes?(options?: CallOptions): Promise<Answer<readonly Keepsake[]>>
  /**
   * Puts what the tool has renewed in a copy of one of its keepsakes, such as a token that can be used once, into this host's own
   * file, unless that holds something newer by now. Asked for only for keepsakes with `isRenewed`. Absent: nothing is renewed.
   */
  returnRenewed?(request: RenewedFile): Promise<Answer<{
    readonly returned: boolean
    /** False: a copy with what was there before works as well, as with an access token that is renewed at each use. Absent: it may not. */
    readonly outdatesCopies?: boolean
  }>>
  /** Ends background work. Called once, also after failures. */
  close(): Promise<void>
}

/** A file of the disaster kit. */
export interface Keepsake {
  /** Its name in the kit, such as `rclone.conf`; no folder in it. */
  readonly name: string
  readonly content: Secret
  /** True: `content` is the file in base64, because it is no text. Absent: it is the text itself. */
  readonly isBase64?: boolean
  /** The key that names it in the configuration, such as `RCLONE_CONFIG`, with its section; `null` where none does. */
  readonly setting: { readonly section: string; readonly key: string } | null
  /** Absolute: where it has to lie on the new host, because another keepsake names it by this path. `null`: anywhere. */
  readonly place: string | null
  /** True: the tool may write to it while it works, as for a token that it renews. Absent: it does not. */
  readonly isRenewed?: boolean
  /** What of it a kit has to hold, without what changes by itself: where this stays the same, a kit with an older content works. Absent: all of it. */
  readonly lasting?: Secret
}

/** A keepsake that the tool has changed while it worked with a copy of it. */
export interface RenewedFile {
  /** {@link Keepsake.name} */
  readonly name: string
  /** The copy as it was, and as it is now. */
  readonly before: Secret
  readonly after: Secret
}

/** One line of `doctor`. */
export interface Finding {
  /** Stable, such as `restic.version`. */
  readonly id: string
  readonly status: 'ok' | 'warning' | 'failed'
  readonly found: string
  readonly needed: string
  /** Empty when all is well. */
  readonly fix: string
  /** True where a needed tool is missing, too old or not answering. */
  readonly isToolTrouble?: boolean
}

export interface CallOptions {
  /** Aborting it ends the call's tools and makes the answer a failure of kind `cancelled`. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
}

/** How far a call has come. What is not known is absent. */
export interface Progress {
  readonly phase: string
  readonly bytesDone?: number
  readonly bytesTotal?: number
  readonly filesDone?: number
  readonly filesTotal?: number
  readonly bytesPerSecond?: number
  /** What the tool itself expects to need still. Milliseconds. */
  readonly remainingMs?: number
  /** What keeps it from going on, such as a sector that is read again and again. In words for people. */
  readonly note?: string
}
