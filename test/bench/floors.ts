import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { Client } from 'undici'
import type { FarEnd } from './far-end.ts'
import type { PeerAlgorithm } from './peers.ts'

/* What no client can be faster than: nothing but the work itself. */

export interface TokenFloor {
  newToken(): Promise<unknown>
  close(): Promise<void>
}

/** A signature by node:crypto, and one round trip over a connection that is open. */
export function createTokenFloor({ issuer, certificate }: FarEnd, algorithm: PeerAlgorithm): TokenFloor {
  const key = createKey(algorithm)
  const client = new Client(issuer, { connect: { ca: certificate.caCertificate }, keepAliveTimeout: 60_000 })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const header = encode({ alg: algorithm })
  return {
    async newToken() {
      const iat = Math.floor(Date.now() / 1000)
      const claims = { iss: 'theClient', sub: 'theClient', aud: issuer, jti: randomUUID(), iat, exp: iat + 60 }
      const signed = `${header}.${encode(claims)}`
      const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
      const body = `grant_type=client_credentials&client_assertion=${signed}.${signature}`
      const response = await client.request({ path: '/token', method: 'POST', headers, body })
      return ((await response.body.json()) as Record<string, unknown>)['access_token']
    },
    close: () => client.close(),
  }
}

function createKey(algorithm: PeerAlgorithm): KeyObject {
  const { privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2_048 })
  return createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))
}

/** A token by its key from a map, if it hasn't ended. */
export function createHitFloor(size: number): (index: number) => Promise<unknown> {
  const keys = Array.from({ length: size }, (_, index) => JSON.stringify(['conn', [`scope-${index}`]]))
  const tokens = new Map(keys.map((key) => [key, { until: Date.now() + 3_600_000 }]))
  return async (index) => {
    const token = tokens.get(JSON.stringify(['conn', [`scope-${index % size}`]]))
    return token && Date.now() < token.until ? token : undefined
  }
}
