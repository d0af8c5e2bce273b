import type { EngineCall } from '../fixtures/engine-proxy.js'

/** A kind of call of the engine's API, with what differs from container to container left out. */
export interface CallKind {
  readonly method: string
  /** A regular expression for the path, without the API version. */
  readonly pattern: string
}

export interface FailingCall extends CallKind {
  readonly answer: 500 | 409 | 'reset'
  /** Every such call, or the first one only. */
  readonly isForGood: boolean
}

/** Every kind of call from the first one on whose `METHOD PATH` matches. */
export function kindsOfCalls(calls: readonly EngineCall[], first: RegExp): readonly CallKind[] {
  const begin = calls.findIndex(({ method, path }) => first.test(`${method} ${path}`))
  if (begin < 0) throw new Error(`no call was like ${first.source}`)
  const kinds = calls.slice(begin).map(kindOf)
  return [...new Map(kinds.map((kind) => [`${kind.method} ${kind.pattern}`, kind])).values()]
}

/** Each kind of call in every way in which it can fail, once and for good. */
export function failuresOf(kinds: readonly CallKind[]): readonly FailingCall[] {
  return kinds.flatMap((kind) => ([500, 'reset', 409] as const).flatMap((answer) => [false, true].map((isForGood): FailingCall => ({ ...kind, answer, isForGood }))))
}

export function inWords({ method, pattern, answer, isForGood }: FailingCall): string {
  return `${method} ${pattern} ${answer} ${isForGood ? 'for good' : 'once'}`
}

function kindOf({ method, path }: EngineCall): CallKind {
  const withoutNames = (path.split('?')[0] ?? '')
    .replace(/(?<=\/(?:containers|images|networks|volumes|exec)\/)(?!json|create|prune)[^/]+(?:\/[^/]+(?=\/json))*/, '[^?]+?')
    .replaceAll('.', '\\.')
    .replace('[^?]+?', '[^?]+')
  return { method, pattern: `^${withoutNames}(?:\\?|$)` }
}
