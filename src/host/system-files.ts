import { isWithin } from './mounts.js'

/** Files below /etc that say which machine this is, who its users are and how it starts. Not all of /etc: programs keep data of their own there. */
const namesInEtc = [
  'adjtime', 'crontab', 'crypttab', 'environment', 'fstab', 'group', 'gshadow', 'host.conf', 'hostname', 'hosts', 'hosts.allow', 'hosts.deny', 'inittab', 'issue', 'issue.net', 'ld.so.cache', 'ld.so.conf', 'locale.conf', 'localtime',
  'login.defs', 'machine-id', 'machine-info', 'mtab', 'networks', 'nsswitch.conf', 'os-release', 'passwd', 'profile', 'protocols', 'resolv.conf', 'rpc', 'securetty', 'services', 'shadow', 'shells', 'subgid', 'subuid', 'sudoers', 'sysctl.conf', 'timezone', 'vconsole.conf',
]

const trees = [
  ...namesInEtc.flatMap((name) => [`/etc/${name}`, `/etc/${name}-`]),
  ...['NetworkManager', 'alternatives', 'apt', 'ca-certificates', 'cron.d', 'default', 'init.d', 'ld.so.conf.d', 'modprobe.d', 'modules-load.d', 'netplan', 'network', 'pam.d', 'pki/ca-trust', 'profile.d', 'security', 'skel', 'ssh', 'ssl/certs', 'sudoers.d', 'sysctl.d', 'systemd', 'udev'].map((name) => `/etc/${name}`),
  ...['/bin', '/boot', '/efi', '/lib', '/lib32', '/lib64', '/libx32', '/sbin'],
  ...['bin', 'include', 'lib', 'lib32', 'lib64', 'libexec', 'libx32', 'sbin', 'share/ca-certificates', 'share/zoneinfo', 'src'].map((name) => `/usr/${name}`),
  ...['lib/apt', 'lib/dbus', 'lib/dpkg', 'lib/rpm', 'lib/systemd', 'log/journal'].map((name) => `/var/${name}`),
]

/** Returns whether a path is a file or folder of the operating system: each host has one of its own, which must not come from another host. */
export function isSystemFile(path: string): boolean {
  return trees.some((tree) => isWithin(path, tree))
}
