import { randomUUID } from 'node:crypto'
import type { CryptoKey } from 'jose'

/** Each that takes a time limit is given that one. */
export const timeLimitMilliseconds = 2_000

export interface Peer {
  /** One that the server issues for that. */
  newToken(): Promise<unknown>
  /** The one that it has; absent where it keeps none. */
  heldToken?(): Promise<unknown>
}

export type PeerAlgorithm = 'ES256' | 'RS256'

export interface Signing {
  readonly algorithm: PeerAlgorithm
  readonly key: CryptoKey
}

/** How one is set up for a server. Those that can't sign ask for no key. */
export type SetUp = (issuer: string, signing: () => Promise<Signing>) => Promise<Peer>

export const clientId = 'theClient'
export const secret = `client-secret-${randomUUID()}`
export const refreshToken = `refresh-token-${randomUUID()}`
