import type { Metered, MetricDimension } from './metric.ts'

/** One row of the catalogue `logEvents`: what is known about one kind of event. `Fields` are its fields in the log. */
export interface Row<Fields> {
  /** The level in the log. */
  readonly level: 'info' | 'warn'
  /** The metrics that the event counts for. Undefined if it counts for none. */
  metrics?(fields: Fields): Metered['values'] | undefined
  /** The fields that become dimensions of its metrics. */
  readonly dimensions?: readonly MetricDimension[]
  /** The sentence that the local run prints. */
  sentence(fields: Fields): string
  /** Whether the local run also shows it while it serves and no one waits for a token at the terminal. */
  readonly isShownWhileServing?: true
}

/** Only fields of the event can be dimensions. */
interface Dimensions<Fields> {
  readonly dimensions?: readonly (MetricDimension & keyof Fields)[]
}

export function row<Fields>(settings: Row<Fields> & Dimensions<Fields>): Row<Fields> {
  return settings
}

export interface OfConnection {
  readonly connection: string
}
export interface OfBuilder {
  readonly jwtBuilder: string
}
export interface Took {
  readonly milliseconds: number
}
export interface Failed {
  readonly code: string
  /** For the operator. */
  readonly reason: string
}

/**
 * The parts of an assertion that are logged: members of its header, and claims that elements and the time of signing
 * set.
 */
export interface ToldAssertion {
  readonly alg: string
  readonly kid?: string | undefined
  readonly typ?: string | undefined
  /** The thumbprint of the certificate in the header. */
  readonly certificate?: string
  readonly iss: unknown
  readonly sub: unknown
  readonly aud: unknown
  readonly iat: unknown
  readonly exp: unknown
}
