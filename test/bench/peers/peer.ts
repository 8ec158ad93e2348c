import { randomUUID } from 'node:crypto'
import type { CryptoKey } from 'jose'

/** Each client with a time limit gets this one. */
export const timeLimitMilliseconds = 2_000

export interface Peer {
  /** Requests a new token from the server. */
  newToken(): Promise<unknown>
  /** The token that the client has. Absent if it keeps none. */
  heldToken?(): Promise<unknown>
}

export type PeerAlgorithm = 'ES256' | 'RS256'

export interface Signing {
  readonly algorithm: PeerAlgorithm
  readonly key: CryptoKey
}

/** Sets up a client for a server. A client that can't sign does not ask for the key. */
export type SetUp = (issuer: string, signing: () => Promise<Signing>) => Promise<Peer>

export const clientId = 'theClient'
export const secret = `client-secret-${randomUUID()}`
export const refreshToken = `refresh-token-${randomUUID()}`
