import type { ContainerState, StackState } from '@stackbk/contract'
import { expect, test } from 'vitest'

import type { EngineEvent } from '../src/engine-events.js'
import { type Neighbour, neighboursEnded } from '../src/neighbours.js'

const database = { id: 'db', condition: 'running', networks: ['shared', 'bridge'] } as unknown as ContainerState
const state = { projects: [{ containers: [database] }], dependents: [{ id: 'vpn' }] } as unknown as StackState
const app: Neighbour = { id: 'app', name: 'app-1', project: 'app', networks: ['shared', 'own'], restartPolicy: 'no', restartCount: 0, maximumRestarts: 0 }

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

test('one that was started again and ended again runs again only if its restart policy starts it after that end', () => {
  const endings = [['always', '0', true], ['on-failure', '1', true], ['on-failure', '0', false], ['no', '1', false]] as const
  for (const [restartPolicy, exitCode, runsAgain] of endings) {
    const again = [event(4, 'app', 'start'), event(5, 'app', 'die', { exitCode })]
    expect(neighboursEnded(state, [{ ...app, restartPolicy }], [...stopped, died, ...again])).toMatchObject([{ exitCode: 1, at: 3, runsAgain }])
  }
})

test('one whose restart policy gives up after so many restarts does not run again once they are used up', () => {
  const limited: Neighbour = { ...app, restartPolicy: 'on-failure', maximumRestarts: 2 }
  const again = [event(4, 'app', 'start'), event(5, 'app', 'die', { exitCode: '1' })]
  const runsAgain = (neighbour: Neighbour, events: readonly EngineEvent[]): unknown => neighboursEnded(state, [neighbour], events)[0]?.runsAgain
  expect(runsAgain(limited, [...stopped, died, ...again])).toBe(true)
  expect(runsAgain(limited, [...stopped, died, ...again, ...again])).toBe(false)
  expect(runsAgain(limited, [...stopped, died, ...again, ...again, event(8, 'app', 'start')])).toBe(true)
  expect(runsAgain({ ...limited, restartCount: 1 }, [...stopped, died, ...again])).toBe(false)
  expect(runsAgain({ ...limited, restartCount: 2 }, [...stopped, died])).toBe(false)
  // It ended once before the stack was stopped.
  expect(runsAgain(limited, [died, event(0, 'app', 'start'), ...stopped, died, ...again])).toBe(false)
})

test.each<[string, readonly Neighbour[], readonly EngineEvent[]]>([
  ['one on another network', [{ ...app, networks: ['own'] }], [...stopped, died]],
  ['one that shares only the network of all containers', [{ ...app, networks: ['bridge'] }], [...stopped, died]],
  ['one that ended before the stop', [app], [died, ...stopped]],
  ['one that was told to stop', [app], [...stopped, event(3, 'app', 'kill'), died]],
  ['one that was told to stop after it had been started again', [app], [...stopped, died, event(4, 'app', 'start'), event(5, 'app', 'kill'), event(6, 'app', 'die')]],
  ['one that is stopped with the stack', [{ ...app, id: 'vpn' }], [...stopped, event(3, 'vpn', 'die')]],
  ['any where the stack was not stopped', [app], [died]],
])('%s is not named', (_, neighbours, events) => {
  expect(neighboursEnded(state, neighbours, events)).toEqual([])
})
