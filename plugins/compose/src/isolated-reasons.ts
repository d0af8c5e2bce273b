import { type Json, list, record, text, textList } from './json.js'

/**
 * What a container may have and still reach nothing but itself: what the engine gives to every container (its default set), and
 * two that concern memory and priority of its own processes. Everything else is taken for a way out.
 */
const harmlessCapabilities = new Set([
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'NET_RAW', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
  ...['IPC_LOCK', 'SYS_NICE'],
])

export function isHarmlessCapability(name: string): boolean {
  return harmlessCapabilities.has(name.toUpperCase().replace(/^CAP_/, ''))
}

/** Takes away of what confines a container; the opposite is harmless. */
export function isHarmlessSecurityOption(option: string): boolean {
  return /^no-new-privileges(?:[:=]true)?$/.test(option)
}

/** Namespaces that a service may have of another service, of the host, or of a container of elsewhere. */
const namespaces = [
  ['network_mode', 'network'],
  ['pid', 'process IDs'],
  ['ipc', 'shared memory'],
  ['uts', 'host name'],
  ['userns_mode', 'user IDs'],
  ['cgroup', 'control groups'],
] as const

/** The service in whose namespace it lives, or whose volumes it takes. */
export function ownersOf(definition: Json): string[] {
  const shared = namespaces.flatMap(([key]) => /^service:(.+)$/.exec(text(definition[key]))?.[1] ?? [])
  const volumes = textList(definition['volumes_from']).filter((entry) => !entry.startsWith('container:')).map((entry) => entry.split(':')[0]!)
  return [...shared, ...volumes]
}

/** Why a service cannot run without the host, or without something outside of the stack; empty when it can. */
export function whyNotIsolated(definition: Json): string[] {
  const reasons: string[] = []
  for (const [key, name] of namespaces) {
    const mode = text(definition[key])
    if (mode === 'host') reasons.push(`it uses the host's ${name}`)
    else if (mode.startsWith('container:')) reasons.push(`it uses the ${name} of a container of elsewhere`)
    else if (key === 'network_mode' && !['', 'none', 'bridge', 'default'].includes(mode) && !mode.startsWith('service:')) reasons.push(`its network mode ${mode} is none that can be made anew`)
  }
  if (definition['privileged'] === true) reasons.push('it is privileged')
  if (has(definition['devices']) || has(definition['device_cgroup_rules'])) reasons.push('it uses devices of the host')
  if (has(definition['gpus']) || has(record(record(record(definition['deploy'])['resources'])['reservations'])['devices'])) reasons.push('it uses a GPU of the host')
  const capabilities = textList(definition['cap_add']).filter((name) => !isHarmlessCapability(name))
  if (capabilities.length > 0) reasons.push(`it has the capabilities ${capabilities.join(', ')}`)
  if (text(definition['runtime']) !== '') reasons.push(`it needs the runtime ${text(definition['runtime'])}`)
  if (definition['use_api_socket'] === true) reasons.push("it uses the engine's socket")
  if (has(definition['credential_spec'])) reasons.push('it uses credentials of the host')
  if (has(definition['provider']) || has(definition['models'])) reasons.push('it is provided by something outside of the stack')
  if (textList(definition['volumes_from']).some((entry) => entry.startsWith('container:'))) reasons.push('it uses the volumes of a container of elsewhere')
  for (const mount of list(definition['volumes'])) {
    const type = text(mount['type'])
    if (!['volume', 'bind', 'tmpfs'].includes(type)) reasons.push(`it has a mount of the type ${type} at ${text(mount['target'])}`)
  }
  return reasons
}

function has(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  return typeof value === 'string' ? value !== '' : Object.keys(record(value)).length > 0
}
