/** Compose's own words for a `${NAME:?}` that has no value. */
const missing = /required variable (\w+) is missing a value/

/** Returns what to do about a model that does not resolve: where a variable has no value, how it gets one; else `otherwise`. */
export function fixForModel(said: string, otherwise: string): string {
  const name = missing.exec(said)?.[1]
  return name === undefined ? otherwise : `The variable ${name} has no value: write it into the .env file next to the compose file, or set COMPOSE_ENV=${name} in [docker] of the configuration and run stackbk with ${name} exported`
}
