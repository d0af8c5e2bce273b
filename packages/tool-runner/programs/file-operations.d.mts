export declare function perform(operation: string, path: string, detail: unknown): unknown
