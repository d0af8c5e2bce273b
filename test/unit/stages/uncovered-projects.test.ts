import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import type { RunningProject, Runtime } from '@stackbk/contract'
import { expect, it } from 'vitest'

import type { Run } from '../../../src/stages/run.js'
import { uncoveredProjects } from '../../../src/stages/uncovered-projects.js'
import { at, configuration, container, failure, ok, partly, stateOf } from './fixtures.js'

const project = (name: string, ...containers: string[]): RunningProject => ({ name, workingDirectory: `/data/${name}`, containers: containers.map((id) => ({ id, name: `${name}-${id}` })) })

function findingsOf(runtime: Partial<Runtime>): ReturnType<typeof uncoveredProjects> {
  const file = at('stacks/web/compose.yaml')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, 'services: {}\n')
  writeFileSync(at('dirlist'), 'web=true\n')
  const live = partly<Runtime>('runtime', { inspect: () => Promise.resolve(ok([stateOf([container('app')])])), ...runtime })
  return uncoveredProjects(partly<Run>('run', { configuration: configuration(), signal: new AbortController().signal, runtime: () => Promise.resolve(live) }))
}

it('names running projects of which no enabled stack has the containers, and that is a warning', async () => {
  const own = stateOf([container('app')]).projects[0]!.containers[0]!.id
  const runningProjects = (...projects: RunningProject[]) => () => Promise.resolve(ok(projects))
  expect(await findingsOf({ runningProjects: runningProjects(project('web', own)) })).toMatchObject([{ id: 'stacks.uncovered', status: 'ok' }])
  expect(await findingsOf({ runningProjects: runningProjects(project('web', own), project('wiki', 'x'), project('all', own, 'y')) })).toMatchObject([
    { id: 'stacks.uncovered', status: 'warning', found: 'not backed up: wiki (/data/wiki); all (/data/all: only all-y)' },
  ])
})

it('says nothing where the runtime does not know them, or does not answer', async () => {
  expect(await findingsOf({ runningProjects: () => Promise.resolve(failure('tool-not-answering')) })).toEqual([])
  expect(await findingsOf({ inspect: () => Promise.resolve(failure('tool-not-answering')), runningProjects: () => Promise.resolve(ok([])) })).toEqual([])
})
