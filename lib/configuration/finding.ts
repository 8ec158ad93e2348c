import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { ElementReference } from './element.ts'

/**
 * A problem with an element, and what to do about it. With a mistake a connection can't be used. A warning is about a
 * configuration that real authorization servers refuse, or that has no effect.
 */
export interface Finding {
  readonly severity: 'mistake' | 'warning'
  /** Absent if the finding is about a file instead of one element. */
  readonly element?: ElementReference
  readonly attribute?: string
  readonly sentence: string
  /** Further advice. It may name elements that the connection does not use. */
  readonly hint?: string
}

export function isMistake({ severity }: Finding): boolean {
  return severity === 'mistake'
}

/** The findings on elements that are resolved together. */
export type FindingList = ReturnType<typeof createFindingList>

export function createFindingList(first: readonly Finding[]) {
  const all = [...first]

  /** Whether the list already has a mistake about this attribute. */
  function isWrittenWrong({ kind, id }: ElementReference, attribute: string): boolean {
    return all.some(
      (known) =>
        isMistake(known) && known.element?.kind === kind && known.element.id === id && known.attribute === attribute,
    )
  }

  /** Findings on an attribute that already has a mistake are dropped: it counts as left out, so they would mislead. */
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

/** One line, such as `oAuthConfig/myoAuthConfig authServerRef: There is no …`. */
export function describeFinding(finding: Finding): string {
  const { hint } = finding
  return [describeOwnFinding(finding), hint].filter(Boolean).join(' ')
}

/** The finding without its hint, for a caller that may see only this connection: it names no other connection's elements. */
export function describeOwnFinding({ element, attribute, sentence }: Finding): string {
  const place = [element && `${element.kind}/${element.id}`, attribute].filter(Boolean).join(' ')
  return place ? `${place}: ${sentence}` : sentence
}

/** The elements of a connection have mistakes. The message lists every mistake, one on each line. */
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

/** The caller named a connection that is not configured. */
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

/** The operator has disabled the connection: its tokens are neither obtained nor handed out. */
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
