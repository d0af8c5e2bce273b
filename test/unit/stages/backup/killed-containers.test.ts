import type { ContainerEnd, ContainerState } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import type { Problem } from '../../../../src/errors.js'
import { killedContainers } from '../../../../src/stages/backup/killed-containers.js'
import { container, stateOf } from '../fixtures.js'

function problemOf(state: Partial<ContainerState>, end: Partial<ContainerEnd> = {}): Problem {
  const app = container('app', { isStopGraceExplicit: false, ...state })
  const ended: ContainerEnd = { containerId: app.id, name: app.name, service: 'app', project: 'web', exitCode: 137, wasKilled: true, graceSeconds: 30, tookSeconds: 30.1, at: '2026-01-01T00:00:00Z', ...end }
  const problems = killedContainers('web', [ended], stateOf([app]))
  expect(problems).toHaveLength(1)
  return problems[0]!
}

describe('a container that was killed at the end of its grace', () => {
  it('is named with its stop signal, and is not given a longer grace', () => {
    const problem = problemOf({})
    expect(problem).toMatchObject({ severity: 'warning', code: 'killed-after-grace', stack: 'web' })
    expect(problem.message).toBe('app did not stop within 30 s of SIGTERM and was killed: its data may not be clean')
    expect(problem.fix).toContain('init: true')
    expect(problem.fix).toContain('stop_signal')
    expect(problem.fix).not.toMatch(/stop_grace_period|DOCKER_TIMEOUT|longer/)
  })

  it.each(['postgres:16', 'registry.example:5000/library/mariadb:11', 'bitnami/mongodb@sha256:abc', 'itzg/minecraft-server'])('may have been working where its image is %s: then a longer grace is the first advice', (reference) => {
    expect(problemOf({ image: { reference, id: 'sha256:1' } }).fix).toMatch(/^If it was still shutting down, .*stop_grace_period.*DOCKER_TIMEOUT in \[stack:web\].*init: true/)
  })

  it('may have been working where it has used up the grace that it asks for', () => {
    expect(problemOf({ isStopGraceExplicit: true, stopGraceSeconds: 30 }).fix).toMatch(/stop_grace_period.*init: true/)
  })

  it('is not advised to use an init that it has', () => {
    const { fix } = problemOf({ hasInit: true })
    expect(fix).toContain('stop_signal')
    expect(fix).not.toContain('init: true')
  })

  it.each([['SIGINT', 'SIGINT'], ['quit', 'SIGQUIT'], ['RTMIN+3', 'SIGRTMIN+3'], ['15', 'SIGTERM'], ['3', 'signal 3']])('is named with its own signal %s as %s', (stopSignal, name) => {
    expect(problemOf({ stopSignal }).message).toContain(`of ${name} and`)
  })

  it('is named too where its container or its time is not known', () => {
    const { tookSeconds: _, ...end } = { tookSeconds: 1, containerId: 'another', name: 'web-app-1', service: '' }
    expect(problemOf({}, { ...end, tookSeconds: 30 }).message).toContain('web-app-1 did not stop within 30 s')
  })

  it('is not blamed where something else killed it before its time was over', () => {
    const { message, fix } = problemOf({}, { tookSeconds: 3 })
    expect(message).toContain('was killed 3 s after SIGTERM, before its 30 s to stop were over')
    expect(fix).not.toContain('init: true')
  })
})

it('says nothing of containers that ended by themselves', () => {
  const app = container('app')
  expect(killedContainers('web', [{ containerId: app.id, name: 'x', service: 'app', project: 'web', exitCode: 137, wasKilled: false, graceSeconds: 5, at: '' }], stateOf([app]))).toEqual([])
})
