import type { Failure } from '../base/tokenwell-error.ts'
import { LeaseLostError } from '../fleet/lease.ts'
import type { ObtainToken } from '../token-endpoint/request-token.ts'
import { causeOf, isTokenError } from './token-error.ts'

/** How a connection's last token requests went, as far as this process knows. Milliseconds since the epoch. */
export interface Outcome {
  readonly obtainedAt?: number
  readonly failedAt?: number
  readonly failure?: Failure['code']
}

export interface Outcomes {
  /** The same, and its outcomes are remembered. */
  watch(obtainToken: ObtainToken): ObtainToken
  of(connection: string): Outcome
}

export function createOutcomes(now: () => number): Outcomes {
  const last = new Map<string, Outcome>()
  const of = (connection: string) => last.get(connection) ?? {}

  return {
    of,
    watch: (obtainToken) => async (errand) => {
      const { name } = errand.connection
      try {
        const token = await obtainToken(errand)
        last.set(name, { ...of(name), obtainedAt: now() })
        return token
      } catch (error) {
        if (error instanceof LeaseLostError) throw error
        last.set(name, {
          ...of(name),
          failedAt: now(),
          failure: isTokenError(error) ? causeOf(error).code : 'unexpected',
        })
        throw error
      }
    },
  }
}
