import type { ElementReference } from './element.ts'

/**
 * What is wrong with an element, in one sentence that says what to do. A mistake keeps a connection from being used;
 * a warning names what real authorization servers refuse.
 */
export interface Finding {
  readonly severity: 'mistake' | 'warning'
  /** Absent where the fault is the file's, not one element's. */
  readonly element?: ElementReference
  readonly attribute?: string
  readonly sentence: string
}

export function isMistake({ severity }: Finding): boolean {
  return severity === 'mistake'
}

/** An attribute that can't be read counts as left out, and what follows from that would only mislead. */
export function isWrittenWrong(
  findings: readonly Finding[],
  { kind, id }: ElementReference,
  attribute: string,
): boolean {
  return findings.some(
    (known) =>
      isMistake(known) && known.element?.kind === kind && known.element.id === id && known.attribute === attribute,
  )
}

/** Takes a finding down; the element it is about comes before its attribute. */
export type Note = (
  severity: Finding['severity'],
  element: ElementReference,
  attribute: string,
  sentence: string,
) => void

/** One line: `oAuthConfig/myoAuthConfig authServerRef: …`. */
export function describeFinding({ element, attribute, sentence }: Finding): string {
  const place = [element && `${element.kind}/${element.id}`, attribute].filter(Boolean).join(' ')
  return place ? `${place}: ${sentence}` : sentence
}
