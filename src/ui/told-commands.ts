/** Commands whose end the notifiers are told of: whatever a timer may call, and whatever changes stacks, repository or copy. */
const told: ReadonlySet<string> = new Set(['backup', 'sync', 'run', 'restore', 'recover', 'resume', 'verify', 'drill', 'snapshots:forget', 'kit:write', 'kit:check'])

/** `id`: as oclif has it, with colons. */
export function isToldOf(id: string | undefined): boolean {
  return told.has(id ?? '')
}
