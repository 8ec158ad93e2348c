import type { Log } from '../log/log-event.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'
import type { ClockOffsets } from './clock-offsets.ts'
import type { ObtainToken } from './obtain-token.ts'

/**
 * The same, and once more where a client was refused whose assertion the server's clock, by its answer's `Date`, can't
 * have accepted: then with times by that clock, which is remembered.
 */
export function withClockCorrection(obtainToken: ObtainToken, offsets: ClockOffsets, log: Log): ObtainToken {
  return async (connection, ...rest) => {
    try {
      return await obtainToken(connection, ...rest)
    } catch (error) {
      if (!(error instanceof RefusedError) || error.clockOffsetMilliseconds === undefined) throw error
      const { id } = connection.authorizationServer
      offsets.learn(id, error.clockOffsetMilliseconds)
      log({ event: 'clock_offset_learned', authorizationServer: id, milliseconds: error.clockOffsetMilliseconds })
      return obtainToken(connection, ...rest)
    }
  }
}
