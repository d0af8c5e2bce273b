export declare class SlowMounts {
  constructor(mountinfo: string)
  on(path: string): string | null
}
export declare function walk(path: string, mounts: SlowMounts, enter: (mountPoint: string) => boolean): void
