import { answered } from '@stackbk/contract'
import { expect, test } from 'vitest'

import type { Container } from '../src/container.js'
import type { Docker } from '../src/docker.js'
import { findOutsideNeeds, hostsInCommand, hostsInSetting, unresolvedNames } from '../src/isolated-outside.js'
import { type Json, record, textList } from '../src/json.js'

test.each([
  ["nc: bad address 'db'", 'db'],
  ["wget: bad address 'other-db'", 'other-db'],
  ['Error: getaddrinfo ENOTFOUND mysql.shared', 'mysql.shared'],
  ['Error: getaddrinfo EAI_AGAIN redis', 'redis'],
  ['dial tcp: lookup postgres on 127.0.0.11:53: no such host', 'postgres'],
  ['curl: (6) Could not resolve host: auth', 'auth'],
  ['psql: error: could not translate host name "pg" to address: Name or service not known', 'pg'],
  ["ERROR 2005 (HY000): Unknown MySQL server host 'maria' (-2)", 'maria'],
  ['java.net.UnknownHostException: kafka: Name or service not known', 'kafka'],
  ["wget: unable to resolve host address 'api'", 'api'],
  ['nginx: [emerg] host not found in upstream "backend:8080" in /etc/nginx/conf.d/a.conf:3', 'backend'],
])('the name that could not be resolved is found in: %s', (line, name) => {
  expect(unresolvedNames(line)).toEqual([name])
})

test.each([
  ['wget -q -O- http://web:8080/health || exit 1', ['web']],
  ['nc -z -w 5 db 5432', ['db']],
  ['sh -c if ! nc -z db 5432; then exit 1; fi', ['db']],
  ['pg_isready -U postgres -h shared-pg', ['shared-pg']],
  ['pg_isready -U postgres', []],
  ['mysqladmin ping -h localhost -u root', ['localhost']],
  ['redis-cli ping | grep PONG', []],
  ['redis-cli -h cache ping', ['cache']],
  ['getent hosts proxy', ['proxy']],
  ['timeout 5 bash -c </dev/tcp/queue/5672', ['queue']],
  ['curl -f mail:8025/health', ['mail']],
  ['test -f /data/ready', []],
  ['grep -h good /data/file', []],
  ['curl --unix-socket /run/x http://localhost/', ['localhost']],
])('a health check reaches for: %s', (command, hosts) => {
  expect(hostsInCommand(command)).toEqual(hosts)
})

test.each([
  ['DB_HOST', 'postgres', ['postgres']],
  ['DATABASE_URL', 'postgres://user:secret@shared-db:5432/app', ['shared-db']],
  ['KAFKA_BROKERS', 'k1:9092,k2:9092', ['k1', 'k2']],
  ['LISTEN_ADDR', ':8080', []],
  ['VIRTUAL_HOST', 'blog.example.com', []],
  ['NODE_ENV', 'production', []],
  ['HOSTNAME', 'self', []],
  ['DEBUG_URL', 'false', []],
])('the variable %s=%s names hosts', (key, value, hosts) => {
  expect(hostsInSetting(key, value)).toEqual(hosts)
})

interface Situation {
  readonly definition: Json
  readonly networks?: Json
  readonly running?: readonly string[]
  readonly log?: string
  readonly health?: string
  readonly missing?: readonly { readonly service: string; readonly reason: string }[]
  readonly more?: Json
  /** Of the image, where the model has none. */
  readonly imageCheck?: readonly string[]
}

async function needs({ definition, networks = {}, running = ['app', 'db'], log = '', health = '', missing = [{ service: 'app', reason: 'it is unhealthy' }], more = {}, imageCheck }: Situation): Promise<Record<string, string>> {
  const check = imageCheck ?? textList(record(definition['healthcheck'])['test']).map((word) => word.replaceAll('$$', '$'))
  const docker = {
    inspect: async (_kind: string, [id]: readonly string[]) => answered({ found: [{ Config: { Healthcheck: { Test: id === 'app' ? check : [] } }, State: { Health: { Log: [{ Output: health }] } } }], byName: new Map(), missing: [] }),
    ask: async (_what: string, _args: readonly string[], call: { onErrorLine: (line: string) => void }) => (log.split('\n').forEach((line) => call.onErrorLine(line)), answered('')),
  } as unknown as Docker
  const projects = [{ model: { services: { app: definition, ...more }, networks }, running: new Set(running), names: new Set(['alias']) }]
  const found = await findOutsideNeeds(docker, { projects, missing, containersOf: (service) => [{ id: service, name: service } as Container] })
  return Object.fromEntries(found.map(({ service, reason }) => [service, reason]))
}

const shared = { shared: { name: 'proxy-net', external: true } }
const onShared = { networks: { shared: null } }

test('a health check that reaches for a host of another stack is named, with the external network that is missing', async () => {
  expect(await needs({ definition: { ...onShared, healthcheck: { test: ['CMD-SHELL', 'wget -q -O- http://other:80'] } }, networks: shared })).toEqual({
    app: 'its health check reaches for other, which is not in the drill; its external network proxy-net is not in the drill',
  })
})

test('a health check of the image counts like one of the model', async () => {
  expect(await needs({ definition: {}, imageCheck: ['CMD-SHELL', 'curl -f http://other/health || exit 1'] })).toHaveProperty('app')
  expect(await needs({ definition: {}, imageCheck: ['CMD', '/healthcheck', '--quick'] })).toEqual({})
})

test('names of the stack itself, by service, alias or own address, are not outside', async () => {
  for (const command of ['nc -z db 80', 'nc -z alias 80', 'curl http://localhost:1', 'curl http://127.0.0.1:1', 'curl http://[::1]:1', 'nc -z DB 80']) {
    expect(await needs({ definition: { ...onShared, healthcheck: { test: ['CMD-SHELL', command] } }, networks: shared }), command).toEqual({})
  }
})

test('a service of the stack that is not run in the drill is outside', async () => {
  expect(await needs({ definition: { healthcheck: { test: ['CMD', 'nc', '-z', 'db', '80'] } }, running: ['app'] })).toHaveProperty('app')
})

test('a variable in the health check is that of the service', async () => {
  expect(await needs({ definition: { environment: { DB_HOST: 'other' }, healthcheck: { test: ['CMD-SHELL', 'nc -z $${DB_HOST:-db} 5432'] } } })).toHaveProperty('app')
  expect(await needs({ definition: { environment: { DB_HOST: 'db' }, healthcheck: { test: ['CMD-SHELL', 'nc -z $$DB_HOST 5432'] } } })).toEqual({})
})

test('an external network alone is no reason, nor is a public name in a log that is not configured', async () => {
  const healthcheck = { test: ['CMD-SHELL', 'test -f /data/ready'] }
  expect(await needs({ definition: { ...onShared, healthcheck }, networks: shared })).toEqual({})
  expect(await needs({ definition: { ...onShared }, networks: shared, log: 'Error: getaddrinfo ENOTFOUND updates.example.com' })).toEqual({})
  expect(await needs({ definition: { environment: { API_URL: 'https://api.example.com/' } }, log: 'Error: getaddrinfo ENOTFOUND api.example.com' })).toHaveProperty('app')
})

test('a check that looks at the data and says nothing of the network may have found bad data, whatever else it reaches for', async () => {
  const definition = { ...onShared, environment: { DB_HOST: 'other' }, volumes: [{ type: 'bind', source: '/x', target: '/data' }], healthcheck: { test: ['CMD-SHELL', 'grep -q good /data/file && nc -z other 80'] } }
  expect(await needs({ definition, networks: shared })).toEqual({})
  expect(await needs({ definition, networks: shared, health: "nc: bad address 'other'" })).toHaveProperty('app')
})

test('a log that names a host of another stack, or an environment that does on an external network, is a reason', async () => {
  expect(await needs({ definition: {}, log: "waiting\nnc: bad address 'other'" })).toEqual({ app: 'its log says that it could not resolve other, which is not in the drill' })
  expect(await needs({ definition: {}, log: "nc: bad address 'db'" })).toEqual({})
  expect(await needs({ definition: { ...onShared, environment: { DB_HOST: 'other' } }, networks: shared })).toHaveProperty('app')
  expect(await needs({ definition: { environment: { DB_HOST: 'other' } } })).toEqual({})
  expect(await needs({ definition: { environment: { NAS_HOST: '192.168.1.5' } }, log: 'connect: Network is unreachable' })).toHaveProperty('app')
})

test('what waits for such a service is missing for the same reason, and what is bad by itself is not', async () => {
  const missing = [{ service: 'app', reason: 'it is unhealthy' }, { service: 'web', reason: 'what it waits for did not come: app' }, { service: 'db', reason: 'it is unhealthy' }]
  const found = await needs({ definition: { healthcheck: { test: ['CMD-SHELL', 'nc -z other 80'] } }, running: ['app', 'web', 'db'], missing, more: { web: { depends_on: { app: { condition: 'service_healthy' } } }, db: {} } })
  expect(found).toEqual({ app: expect.any(String) as string, web: 'it waits for app' })
})
