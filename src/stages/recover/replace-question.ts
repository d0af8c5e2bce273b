import { runningServices } from '../../stacks/running.js'
import { isThere } from './moves.js'
import type { RecoveryPlan } from './plan.js'
import { placeOf } from './relocation.js'

export type ReplacingPlan = Pick<RecoveryPlan, 'name' | 'snapshot' | 'relocations' | 'part' | 'present' | 'state'>

export interface ReplaceChoices {
  readonly overwrite: boolean
  /** Only the data of this service is replaced. */
  readonly service: string | undefined
}

/** Returns the question whether what is here may be replaced: whole stacks, or only the part that was asked for. */
export function replaceQuestion(plans: readonly ReplacingPlan[], { overwrite, service }: ReplaceChoices): string {
  const verb = overwrite ? 'Overwrite' : 'Replace'
  const from = ({ snapshot }: ReplacingPlan): string => `snapshot ${snapshot.id.slice(0, 8)} of ${snapshot.time}`
  const whole = plans.filter(({ part }) => part === null).map((plan) => `${plan.name} with its ${from(plan)}: ${plan.present.join(', ')}`)
  const parts = plans.flatMap((plan) => {
    if (plan.part === null) return []
    const places = plan.part.paths.map((path) => placeOf(plan.relocations, path))
    const what = service === undefined ? `${places.join(', ')} of ${plan.name}` : `the data of the service ${service} of ${plan.name} (${places.join(', ')})`
    const question = `${places.some((place) => isThere(place)) ? verb : 'Bring back'} only ${what} from its ${from(plan)}?`
    const running = plan.state === null ? [] : runningServices(plan.state)
    return [running.length === 0 ? question : `${question} Meanwhile ${running.join(', ')} ${running.length === 1 ? 'is' : 'are'} stopped.`]
  })
  return [...(whole.length === 0 ? [] : [`${verb} ${whole.join('; ')}?`]), ...parts].join(' ')
}
