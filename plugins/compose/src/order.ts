import type { ContainerState, Dependency, StackState } from '@stackbk/contract'

import { isAlive } from './container.js'
import { sharedNamespaces } from './inspect.js'

/** What is started and stopped as one: the replicas of a service, a one-off container, a container of elsewhere that lives in a namespace of one of these. */
export interface Unit {
  readonly key: string
  /** Empty for a container of elsewhere. */
  readonly project: string
  readonly service: string
  /** Those that ran when the stack was looked at. */
  readonly containers: readonly ContainerState[]
  readonly needs: readonly Need[]
}

export interface Need {
  readonly unit: string
  readonly condition: Dependency['condition']
}

/**
 * Everything that ran, with what each needs of the others. A service that did not run hands its own needs on: what waits for
 * a finished migration waits for the database that the migration needed. A circle, which Compose does not allow but labels
 * of edited projects may give, loses one of its needs.
 */
export function unitsThatRan(state: StackState): Unit[] {
  const units: Unit[] = []
  const keyOf = new Map<string, string>()
  for (const project of state.projects) {
    const alive = project.containers.filter(isAlive)
    const serviceKey = (service: string): string => `${project.name}/${service}`
    const needsOf = (containers: readonly ContainerState[], seen: ReadonlySet<string>): Need[] =>
      containers.flatMap((container) => container.dependsOn).flatMap((dependency): Need[] => {
        if (seen.has(dependency.service)) return []
        const target = project.containers.filter((container) => container.service === dependency.service && !container.isOneOff)
        if (target.some(isAlive)) return [{ unit: serviceKey(dependency.service), condition: dependency.condition }]
        return needsOf(target, new Set([...seen, dependency.service]))
      })
    for (const service of new Set(alive.filter((container) => !container.isOneOff).map((container) => container.service))) {
      const containers = alive.filter((container) => container.service === service && !container.isOneOff)
      units.push({ key: serviceKey(service), project: project.name, service, containers, needs: needsOf(containers, new Set([service])) })
      for (const container of containers) keyOf.set(container.id, serviceKey(service))
    }
    for (const container of alive.filter((one) => one.isOneOff)) {
      units.push({ key: container.id, project: project.name, service: container.service, containers: [container], needs: needsOf([container], new Set()) })
      keyOf.set(container.id, container.id)
    }
  }
  for (const container of state.dependents.filter(isAlive)) {
    units.push({ key: container.id, project: '', service: container.service, containers: [container], needs: [] })
    keyOf.set(container.id, container.id)
  }
  const owners = units.flatMap((unit) => unit.containers)
  const withNamespaces = units.map((unit) => {
    const shared = unit.containers.flatMap((container) => owners.filter((owner) => sharedNamespaces(container, owner).length > 0))
    const needs = shared.map((owner): Need => ({ unit: keyOf.get(owner.id)!, condition: 'service_started' }))
    return { ...unit, needs: [...unit.needs, ...needs].filter((need) => need.unit !== unit.key) }
  })
  return withoutCircles(withNamespaces)
}

/** Acts on each unit as soon as all that it needs is done (`start`), or all that needs it (`stop`); independent ones at the same time. */
export async function inOrder(units: readonly Unit[], direction: 'start' | 'stop', act: (unit: Unit) => Promise<void>): Promise<void> {
  const begun = new Map<string, Promise<void>>()
  const before = (unit: Unit): Unit[] =>
    direction === 'start'
      ? units.filter((other) => unit.needs.some((need) => need.unit === other.key))
      : units.filter((other) => other.needs.some((need) => need.unit === unit.key))
  const begin = (unit: Unit): Promise<void> => {
    const known = begun.get(unit.key)
    if (known !== undefined) return known
    const work = Promise.all(before(unit).map(begin)).then(() => act(unit))
    begun.set(unit.key, work)
    return work
  }
  await Promise.all(units.map(begin))
}

function withoutCircles(units: readonly Unit[]): Unit[] {
  const finished = new Map<string, Unit>()
  const visit = (unit: Unit, path: ReadonlySet<string>): void => {
    if (finished.has(unit.key)) return
    const inside = new Set([...path, unit.key])
    const needs = unit.needs.filter((need) => !inside.has(need.unit))
    for (const need of needs) {
      const target = units.find((other) => other.key === need.unit)
      if (target !== undefined) visit(target, inside)
    }
    finished.set(unit.key, { ...unit, needs })
  }
  for (const unit of units) visit(unit, new Set())
  return units.map((unit) => finished.get(unit.key)!)
}
