import { type Environment, readEnvironment } from './environment.ts'
import { readVariables, type Variables } from './read-variables.ts'

/** What a function is told that callers reach by HTTP. */
export interface GuardedEnvironment extends Environment {
  /** The claim of a JWT authorizer that lists the caller's connections; absent behind IAM. */
  readonly connectionsClaim?: string
}

/** @throws {Error} naming every variable that is missing or wrong */
export function readGuardedEnvironment(variables: Variables): GuardedEnvironment {
  const { TOKENWELL_CONNECTIONS_CLAIM } = variables
  return {
    ...readVariables(variables, readEnvironment),
    ...(TOKENWELL_CONNECTIONS_CLAIM && { connectionsClaim: TOKENWELL_CONNECTIONS_CLAIM }),
  }
}
