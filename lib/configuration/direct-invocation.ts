import type { ElementReference } from './element.ts'
import type { ElementReading } from './element-store.ts'
import type { Finding, FindingList } from './finding.ts'

/* A connection with `directInvocation` has an alias of its own, so the limits of aliases are its limits. */

/** All aliases move in each deployment. CloudFormation has two of them for each of these connections. */
export const mostDirectConnections = 50

const attribute = 'directInvocation'

/** Whether `c-` and the name are the name of an alias: at most 128 letters, digits, `-` and `_`. */
export function canHaveAlias(connection: string): boolean {
  return /^[A-Za-z0-9_-]{1,126}$/.test(connection)
}

export function checkDirectInvocation(element: ElementReference, findings: FindingList): void {
  if (canHaveAlias(element.id)) return
  findings.addMistake(
    element,
    attribute,
    'It needs an alias with the name of the connection, and this name is too long or has a character that an alias cannot have. Give the connection a name of at most 126 letters, digits, _ and -.',
  )
}

/** A mistake if more connections have the attribute than the stack can have aliases for. */
export function checkNumberOfAliases(readings: readonly ElementReading[]): Finding[] {
  const { length } = readings.filter(
    ({ reference, attributes }) =>
      reference.kind === 'endpointConnection' && attribute in attributes && attributes[attribute] === true,
  )
  if (length <= mostDirectConnections) return []
  const sentence = `${length} connections have ${attribute}, and a stage can have at most ${mostDirectConnections} of them. Take the attribute out of the connections whose callers can use the HTTP API, or divide the connections among several stages.`
  return [{ severity: 'mistake', sentence }]
}
