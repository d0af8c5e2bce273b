import { join } from 'node:path'

import type { Configuration } from '../../config/configuration.js'
import { mountPointOf } from '../../host/mounts.js'
import type { UnitScope } from '../../host/systemd.js'
import { commandWord, mountUnit, pathWord, plainText, unitWord } from '../../host/systemd-text.js'
import { type ExtraCommand, extrasOf, extraWords, recordLine, runWords, type ScheduleRecord } from './record.js'
import type { Surroundings, UnitCredential } from './surroundings.js'

export const serviceUnit = 'stackbk.service'
export const timerUnit = 'stackbk.timer'
export const resumeUnit = 'stackbk-resume.service'
export const resumeWithoutDisksUnit = 'stackbk-resume-without-disks.service'

const extraUnits: Readonly<Record<ExtraCommand, { readonly service: string; readonly timer: string; readonly description: string }>> = {
  verify: { service: 'stackbk-verify.service', timer: 'stackbk-verify.timer', description: 'stackbk: check the repository' },
  drill: { service: 'stackbk-drill.service', timer: 'stackbk-drill.timer', description: 'stackbk: test a full recovery, isolated from production' },
}

/** Returns the timer unit of a command that is scheduled besides the nightly run. */
export function timerOf(command: ExtraCommand): string {
  return extraUnits[command].timer
}

/** All timer units that a schedule may have. */
export const timerUnits: readonly string[] = [timerUnit, ...Object.values(extraUnits).map(({ timer }) => timer)]

/** All service units that a schedule may have. */
export const serviceUnits: readonly string[] = [serviceUnit, resumeUnit, resumeWithoutDisksUnit, ...Object.values(extraUnits).map(({ service }) => service)]

/** A file of a schedule. */
export interface UnitFile {
  /** Absolute. */
  readonly file: string
  readonly text: string
}

export interface UnitsRequest {
  readonly folder: string
  readonly scope: UnitScope
  readonly record: ScheduleRecord
  readonly surroundings: Surroundings
  readonly docker: Pick<Configuration['docker'], 'graceSeconds' | 'healthTimeoutMs'>
  /** Everything that a stack reads or writes, the stacks folder itself, the repository. Absolute. */
  readonly sources: readonly string[]
  /** The configuration has commands of the user's own run, which may want what the unit would forbid. */
  readonly runsForeignCommands: boolean
}

/** The engine's own unit, by the names that its packages give it: one that is not there is passed over. */
const engineUnits = ['docker.service', 'snap.docker.dockerd.service']

/** More than all limits of a stop and a start together, for what is not measured by them: the last tool's end, a slow disk. */
const stopMarginSeconds = 180

/** The units of a schedule. They see the machine as a terminal does: why, see docs/decisions/schedule-units.md. */
export function scheduleUnits(request: UnitsRequest): readonly UnitFile[] {
  const { folder, record, scope } = request
  const unit = (name: string, ...sections: readonly (readonly string[])[]): UnitFile => ({
    file: join(folder, name),
    text: [['# Written by: stackbk schedule install. Change it by the same command, or with: systemctl edit', recordLine(record)], ...sections].map((lines) => `${lines.join('\n')}\n`).join('\n'),
  })
  return [
    unit(
      serviceUnit,
      [
        '[Unit]',
        `Description=stackbk: back up all enabled stacks${record.sync ? ', then sync to the cloud' : ''}`,
        ...(scope === 'system' ? ['Wants=network-online.target', 'After=network-online.target'] : []),
        `After=${[...engineUnits, resumeUnit].join(' ')}`,
        ...wantedMounts(request.sources),
        '# A run that was killed leaves stacks stopped: they are started at once.',
        `OnFailure=${resumeUnit}`,
      ],
      [...serviceLines(request, runWords(record)), '# A backup was at work: that run reports. While anything else held the lock, the exit code is 1.', 'SuccessExitStatus=75', '# A tool that the kernel ends for want of memory is an answer, and no reason to end the run.', 'OOMPolicy=continue'],
    ),
    unit(
      timerUnit,
      ['[Timer]', `OnCalendar=${plainText(record.at)}`, '# A night that the machine slept through is made up for.', 'Persistent=true', `Unit=${serviceUnit}`],
      ['[Install]', 'WantedBy=timers.target'],
    ),
    unit(
      resumeUnit,
      [
        '[Unit]',
        'Description=stackbk: start the stacks that an interrupted run left stopped',
        `After=${engineUnits.join(' ')}`,
        ...request.sources.map((path) => `RequiresMountsFor=${pathWord(path)}`),
        '# Without one of these disks the stacks on the others are started all the same.',
        `OnFailure=${resumeWithoutDisksUnit}`,
        'StartLimitIntervalSec=1h',
        'StartLimitBurst=5',
      ],
      [
        ...serviceLines(request, ['resume']),
        '# Another run is at work: it has done this first.',
        'SuccessExitStatus=75',
        '# The engine may still be starting (4). What waits for a decision is not tried again.',
        'Restart=on-failure',
        'RestartSec=30s',
        'RestartPreventExitStatus=1 2 3',
      ],
      ['[Install]', `WantedBy=${scope === 'system' ? 'multi-user.target' : 'default.target'}`],
    ),
    unit(
      resumeWithoutDisksUnit,
      [...serviceLines(request, ['resume']), 'SuccessExitStatus=75'],
    ),
    ...extrasOf(record).flatMap(({ command, at }) => {
      const { service, timer, description } = extraUnits[command]
      const unitLines = ['[Unit]', `Description=${description}`, ...(scope === 'system' ? ['Wants=network-online.target', 'After=network-online.target'] : []), `After=${engineUnits.join(' ')}`, ...wantedMounts(request.sources)]
      return [
        unit(service, unitLines, [...serviceLines(request, extraWords(command, record)), 'OOMPolicy=continue']),
        unit(timer, ['[Timer]', `OnCalendar=${plainText(at)}`, 'Persistent=true', `Unit=${service}`], ['[Install]', 'WantedBy=timers.target']),
      ]
    }),
  ]
}

/** All that the units of a folder may be called, for their removal. */
export function unitPaths(folder: string): readonly string[] {
  return [...serviceUnits, ...timerUnits].map((name) => join(folder, name))
}

/** Waited for, and not required: a run whose disk is missing must run, to tell so. */
function wantedMounts(sources: readonly string[]): readonly string[] {
  const mounts = [...new Set(sources.map((source) => mountPointOf(source)))].filter((point) => point !== '/').map(mountUnit)
  return mounts.length === 0 ? [] : ['# A disk that is missing keeps no run from telling so.', `Wants=${mounts.join(' ')}`, `After=${mounts.join(' ')}`]
}

function serviceLines(request: UnitsRequest, command: readonly string[]): readonly string[] {
  const { surroundings, docker } = request
  const call = [...surroundings.program, ...command, '--config', surroundings.configuration]
  // On SIGTERM a stop is finished, which takes the grace, and the stack is started and becomes healthy; once more if that fails.
  const stopSeconds = Math.ceil(docker.graceSeconds) + 2 * Math.ceil(docker.healthTimeoutMs / 1000) + stopMarginSeconds
  return [
    '[Service]',
    'Type=oneshot',
    `ExecStart=${call.map(commandWord).join(' ')}`,
    ...Object.entries(surroundings.variables).map(([name, value]) => `Environment=${unitWord(`${name}=${value}`)}`),
    `EnvironmentFile=-${plainText(surroundings.environmentFile)}`,
    ...surroundings.credentials.map(credentialLine),
    'UMask=0077',
    '# A stop must leave the stacks running: only stackbk is told of it, and it has time.',
    'KillMode=mixed',
    'TimeoutStartSec=infinity',
    `TimeoutStopSec=${stopSeconds}s`,
    ...hardening(request),
  ]
}

function credentialLine({ name, path, isEncrypted }: UnitCredential): string {
  return `LoadCredential${isEncrypted ? 'Encrypted' : ''}=${name}${path === null ? '' : `:${plainText(path)}`}`
}

/**
 * What a run never needs. Nothing that gives the unit a file system of its own (ProtectSystem=, PrivateTmp=, ReadWritePaths=,
 * ...): stackbk notes devices and mount points to know a disk again, and must see them as they are; rclone replaces its
 * rclone.conf by a rename. Nothing that forbids set-user-ID bits or mounts: restored files have such bits, a frozen copy is
 * read through a private mount.
 */
function hardening({ scope, runsForeignCommands }: UnitsRequest): readonly string[] {
  if (runsForeignCommands) return ['# The configuration names commands of its own: no more is forbidden to them than in a terminal.']
  return [
    '# What a run never needs.',
    'NoNewPrivileges=true',
    'LockPersonality=true',
    'RestrictRealtime=true',
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    'RestrictNamespaces=mnt',
    'SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap',
    'SystemCallErrorNumber=EPERM',
    ...(scope === 'system' ? ['CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_BOOT CAP_SYS_PACCT CAP_SYSLOG CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_NET_RAW CAP_NET_BROADCAST'] : []),
  ]
}
