import type { Answer, CallOptions, Engine, SnapshotEntry } from '@stackbk/contract'

/** Calls `onEntry` for each file and folder of a snapshot, folders before what is in them. Keeps none of them where the engine can do that. */
export async function eachSnapshotEntry(engine: Engine, snapshot: string, onEntry: (entry: SnapshotEntry) => void, request: { readonly below?: string } & CallOptions = {}): Promise<Answer<void>> {
  if (engine.eachEntry !== undefined) return await engine.eachEntry(snapshot, onEntry, request)
  const listed = await engine.list(snapshot, request)
  if (!listed.ok) return listed
  for (const entry of listed.value) onEntry(entry)
  return { ok: true, value: undefined }
}
