import { type Environment, readEnvironment } from '../../lib/wiring/environment.ts'
import { readVariables, type Variables } from '../../lib/wiring/read-variables.ts'

export interface IssueTokenEnvironment extends Environment {
  /** The claim of a JWT authorizer that lists the caller's connections; absent behind IAM. */
  readonly connectionsClaim?: string
}

/** @throws {Error} naming every variable that is missing or wrong */
export function readIssueTokenEnvironment(variables: Variables): IssueTokenEnvironment {
  const { TOKENWELL_CONNECTIONS_CLAIM } = variables
  return {
    ...readVariables(variables, readEnvironment),
    ...(TOKENWELL_CONNECTIONS_CLAIM && { connectionsClaim: TOKENWELL_CONNECTIONS_CLAIM }),
  }
}
