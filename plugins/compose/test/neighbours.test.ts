import type { ContainerState, StackState } from '@stackbk/contract'
import { expect, test } from 'vitest'

import type { EngineEvent } from '../src/engine-events.js'
import { type Neighbour, neighboursEnded } from '../src/neighbours.js'

const database = { id: 'db', condition: 'running', networks: ['shared', 'bridge'] } as unknown as ContainerState
const state = { projects: [{ containers: [database] }], dependents: [{ id: 'vpn' }] } as unknown as StackState
const app: Neighbour = { id: 'app', name: 'app-1', project: 'app', networks: ['shared', 'own'], restartPolicy: 'no' }

const event = (at: number, id: string, action: string, attributes: Record<string, string> = {}): EngineEvent => ({ at, id, action, name: id, attributes })
const stopped = [event(1, 'db', 'kill'), event(2, 'db', 'die', { exitCode: '0' })]
const died = event(3, 'app', 'die', { exitCode: '1' })

test('a neighbour on the same network that ends while the stack is stopped is named', () => {
  expect(neighboursEnded(state, [app], [...stopped, died, event(4, 'db', 'start')])).toEqual([{ container: 'app-1', project: 'app', exitCode: 1, networks: ['shared'], at: 3, runsAgain: false }])
})

test('one that was started again, or whose restart policy does that, runs again', () => {
  expect(neighboursEnded(state, [app], [...stopped, died, event(5, 'app', 'start')])).toMatchObject([{ runsAgain: true }])
  const endings = [['always', '0', true], ['unless-stopped', '1', true], ['on-failure', '1', true], ['on-failure', '0', false], ['no', '1', false]] as const
  for (const [restartPolicy, exitCode, runsAgain] of endings) {
    expect(neighboursEnded(state, [{ ...app, restartPolicy }], [...stopped, event(3, 'app', 'die', { exitCode })])).toMatchObject([{ runsAgain }])
  }
})

test.each<[string, readonly Neighbour[], readonly EngineEvent[]]>([
  ['one on another network', [{ ...app, networks: ['own'] }], [...stopped, died]],
  ['one that shares only the network of all containers', [{ ...app, networks: ['bridge'] }], [...stopped, died]],
  ['one that ended before the stop', [app], [died, ...stopped]],
  ['one that was told to stop', [app], [...stopped, event(3, 'app', 'kill'), died]],
  ['one that is stopped with the stack', [{ ...app, id: 'vpn' }], [...stopped, event(3, 'vpn', 'die')]],
  ['any where the stack was not stopped', [app], [died]],
])('%s is not named', (_, neighbours, events) => {
  expect(neighboursEnded(state, neighbours, events)).toEqual([])
})
