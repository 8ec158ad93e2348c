import { type ConnectionRecord, cleared } from '../token-cache/connection-record.ts'
import type { TokenRecords } from '../token-cache/token-records.ts'
import type { Renewal } from './renew-token.ts'
import type { RenewVariants } from './renew-variants.ts'

/**
 * Ends all tokens of a connection, and obtains those that are kept warm anew.
 * @param deadline milliseconds since the epoch
 * @throws {CacheUnavailableError}
 */
export type ClearConnection = (connection: string, deadline: number) => Promise<readonly Renewal[]>

export interface ClearConnectionParts {
  readonly records: TokenRecords
  readonly renewVariants: RenewVariants
  readonly now: () => number
}

export function createClearConnection({ records, renewVariants, now }: ClearConnectionParts): ClearConnection {
  return async (name, deadline) => {
    const [known] = await records.readConnections([name], deadline)
    const clear = (before: ConnectionRecord | undefined) => before && cleared(before, now())
    const after = await records.amendConnection(name, known, clear, deadline)
    return after ? renewVariants(name, after, new Map(), deadline) : []
  }
}
