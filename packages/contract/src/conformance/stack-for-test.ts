/**
 * A real stack of three services, in a real directory of its own: `db`, with a health check and a volume that it writes to;
 * `web`, which depends on a healthy `db`; `extra`, which depends on nothing. All of them end at once when they are asked to.
 */
export interface StackForTest {
  /** Symbolic links resolved. */
  readonly directory: string
  /** Creates and starts all three, by the runtime's own means and not by the provider. */
  up(): Promise<void>
  /** Stops one service as a user would. */
  stopService(service: string): Promise<void>
  /** Makes the definition one that does not resolve, while what runs goes on. */
  breakModel(): Promise<void>
  /** The services that run (paused ones too), sorted; asked without the provider. */
  running(): Promise<readonly string[]>
  /** Takes its containers, networks and volumes away; the directory stays. */
  takeAway(): Promise<void>
  /** Takes everything of it away. */
  remove(): Promise<void>
}
