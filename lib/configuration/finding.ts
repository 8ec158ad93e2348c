import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { ElementReference } from './element.ts'

/**
 * What is wrong with an element, in one sentence that says what to do. A mistake keeps a connection from being used;
 * a warning names what real authorization servers refuse.
 */
export interface Finding {
  readonly severity: 'mistake' | 'warning'
  /** Absent if the finding is about a file, not about one element. */
  readonly element?: ElementReference
  readonly attribute?: string
  readonly sentence: string
  /** Further advice, which may name elements that the connection in question doesn't use. */
  readonly hint?: string
}

export function isMistake({ severity }: Finding): boolean {
  return severity === 'mistake'
}

/** Collects the findings on elements that are resolved together. */
export type FindingList = ReturnType<typeof createFindingList>

export function createFindingList(first: readonly Finding[]) {
  const all = [...first]

  /** Whether there is a mistake about this attribute already. */
  function isWrittenWrong({ kind, id }: ElementReference, attribute: string): boolean {
    return all.some(
      (known) =>
        isMistake(known) && known.element?.kind === kind && known.element.id === id && known.attribute === attribute,
    )
  }

  /** An attribute that can't be read counts as left out, and what follows from that would only mislead. */
  function add(finding: Finding & Required<Pick<Finding, 'element' | 'attribute'>>): void {
    if (!isWrittenWrong(finding.element, finding.attribute)) all.push(finding)
  }

  function addMistake(element: ElementReference, attribute: string, sentence: string): void {
    add({ severity: 'mistake', element, attribute, sentence })
  }

  function addWarning(element: ElementReference, attribute: string, sentence: string): void {
    add({ severity: 'warning', element, attribute, sentence })
  }

  function mistakes(): Finding[] {
    return all.filter(isMistake)
  }

  return { all: all as readonly Finding[], isWrittenWrong, addMistake, addWarning, mistakes }
}

/** One line: `oAuthConfig/myoAuthConfig authServerRef: …`. */
export function describeFinding(finding: Finding): string {
  const { hint } = finding
  return [describeOwnFinding(finding), hint].filter(Boolean).join(' ')
}

/** The same for somebody who may see this connection alone: it names no element that the connection does not. */
export function describeOwnFinding({ element, attribute, sentence }: Finding): string {
  const place = [element && `${element.kind}/${element.id}`, attribute].filter(Boolean).join(' ')
  return place ? `${place}: ${sentence}` : sentence
}

/** The elements of a connection can't be used. Its message lists every mistake, one a line. */
export class ConfigurationError extends TokenwellError {
  readonly code = 'configuration'
  readonly findings: readonly Finding[]

  constructor(findings: readonly Finding[]) {
    super(findings.map(describeFinding).join('\n'))
    this.findings = findings
  }

  override get publicMessage(): string {
    return `The configuration of this connection has a mistake. ${operatorFindsReason}`
  }
}

/** The caller names a connection that isn't configured. */
export class UnknownConnectionError extends TokenwellError {
  readonly code = 'unknown_connection'

  constructor(connection: string) {
    const name = JSON.stringify(connection)
    super(`There is no connection ${name}. GET /connections lists the configured connections.`)
  }

  override get publicMessage(): string {
    return this.message
  }
}

/** The operator has stopped the connection: no token of it is obtained or handed out. */
export class ConnectionDisabledError extends TokenwellError {
  readonly code = 'connection_disabled'

  constructor(connection: string) {
    super(
      `The operator has disabled the connection ${connection}. To enable it, the operator takes disabled out of endpointConnection/${connection}.`,
    )
  }

  override get publicMessage(): string {
    return this.message
  }
}

/** The name that the operator most likely meant: it differs in case only, or by few letters. Undefined if no name is near. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const folded = name.toLowerCase()
  const allowed = Math.max(1, Math.floor(name.length / 3))
  const ranked = names
    .map((other) => ({ other, distance: editDistance(folded, other.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  return ranked[0] && ranked[0].distance <= allowed ? ranked[0].other : undefined
}

/** Levenshtein's distance, row by row. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1]
    for (const [column, other] of [...to].entries()) {
      const replaced = (previous[column] ?? 0) + (letter === other ? 0 : 1)
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    previous = current
  }
  return previous.at(-1) ?? 0
}
