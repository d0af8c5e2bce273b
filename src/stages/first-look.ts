import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

import type { Answer, Finding, LiveProvider, Transport } from '@stackbk/contract'

import { discoverStacks } from '../stacks/discovery.js'
import type { Run } from './run.js'

/** A folder that holds stacks. */
export interface StacksFolder {
  readonly path: string
  /** How many. */
  readonly stacks: number
  /** How many of them the container engine knows. */
  readonly known: number
}

/** What a host has that a first configuration can be made of. */
export interface FirstLook {
  /** The tools with their versions, and what is wrong with them. */
  readonly tools: readonly Finding[]
  /** Those that hold most of what the engine knows first. */
  readonly stacksFolders: readonly StacksFolder[]
  /** Asks the transport anew for the remotes that it knows; `null` if it does not say. */
  readonly listRemotes: () => Promise<readonly string[] | null>
}

/** Where people keep their stacks. */
const usualFolders: readonly string[] = ['/opt/docker-stacks', '/opt/stacks', '/opt/docker', '/srv/docker-stacks', '/srv/stacks', '/srv/docker', '/docker', '/stacks']
const usualInHome: readonly string[] = ['docker-stacks', 'stacks', 'docker']

/** Asks tools and looks into folders. Changes nothing; what does not answer is among the tools' findings, and nothing is thrown. */
export async function firstLook(run: Run): Promise<FirstLook> {
  const { signal } = run
  const [runtime, engine, transport] = await Promise.all([tried(run.runtime()), tried(run.engine()), tried(run.transport())])
  const examined = await Promise.all([runtime, engine, transport].map((provider: LiveProvider | null) => tried(provider?.examine({ signal }))))
  const projects = await tried(runtime?.projectFolders?.({ signal }))
  return { tools: examined.flatMap((findings) => (findings ?? []).filter(isOfTool)), stacksFolders: stacksFolders(valueOf(projects)), listRemotes: () => remotesOf(transport, signal) }
}

async function remotesOf(transport: Transport | null, signal: AbortSignal): Promise<readonly string[] | null> {
  const answer = await tried(transport?.remotes?.({ signal }))
  return answer?.ok === true ? answer.value : null
}

function isOfTool({ id, status, isToolTrouble }: Finding): boolean {
  return isToolTrouble === true || (status === 'ok' && /\.(?:version|engine)$/.test(id))
}

function stacksFolders(projects: readonly string[]): readonly StacksFolder[] {
  const places = [...projects.map((project) => dirname(resolve(project))), ...usualFolders, ...usualInHome.map((name) => join(homedir(), name))]
  return [...new Set(places)]
    .map((path) => ({ path, stacks: discoverStacks(path).stacks.length, known: projects.filter((project) => dirname(resolve(project)) === path).length }))
    .filter(({ stacks }) => stacks > 0)
    .toSorted((one, other) => other.known - one.known || other.stacks - one.stacks)
}

function valueOf(answer: Answer<readonly string[]> | null | undefined): readonly string[] {
  return answer?.ok === true ? answer.value : []
}

async function tried<T>(asked: Promise<T> | undefined): Promise<T | null> {
  try {
    return (await asked) ?? null
  } catch {
    return null
  }
}
