import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { Client, type Dispatcher } from 'undici'
import { exchange } from '../../lib/adapters/http/http-exchange.ts'
import { createLocalSigner } from '../../lib/signing/signer.ts'
import type { FarEnd } from './far-end.ts'
import type { PeerAlgorithm } from './peers.ts'

/* The work itself and nothing else. */

export interface TokenFloor {
  newToken(): Promise<unknown>
  close(): Promise<void>
}

/** A signature and one round trip over an open connection, each with its library's usual call. */
export function createTokenFloor(farEnd: FarEnd, algorithm: PeerAlgorithm): TokenFloor {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const header = encode({ alg: algorithm })
  const signJwt = (key: KeyObject, claims: object) => {
    const signed = `${header}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
    return `${signed}.${signature.toString('base64url')}`
  }
  return createFloor(farEnd, algorithm, signJwt, async (client, request) => {
    const { body } = await client.request(request)
    return body.json()
  })
}

/** The same with the parts of Tokenwell. */
export function createOwnTokenFloor(farEnd: FarEnd, algorithm: PeerAlgorithm): TokenFloor {
  const limits = { receiveMilliseconds: 10_000, totalMilliseconds: 15_000, maximumBytes: 65_536 }
  const signJwt = async (key: KeyObject, claims: Record<string, unknown>) => {
    const jws = await createLocalSigner(key, {}).sign({ alg: algorithm }, claims)
    return jws.reveal()
  }
  return createFloor(farEnd, algorithm, signJwt, async (client, request) => {
    const { body } = await exchange(client, request, limits)
    return JSON.parse(body.toString())
  })
}

function createFloor(
  { issuer, certificate }: FarEnd,
  algorithm: PeerAlgorithm,
  signJwt: (key: KeyObject, claims: Record<string, unknown>) => string | Promise<string>,
  ask: (client: Client, request: Dispatcher.RequestOptions) => Promise<unknown>,
): TokenFloor {
  const key = createKey(algorithm)
  const client = new Client(issuer, { connect: { ca: certificate.caCertificate }, keepAliveTimeout: 60_000 })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return {
    async newToken() {
      const iat = Math.floor(Date.now() / 1000)
      const claims = { iss: 'theClient', sub: 'theClient', aud: issuer, jti: randomUUID(), iat, exp: iat + 60 }
      const body = `grant_type=client_credentials&client_assertion=${await signJwt(key, claims)}`
      const answer = await ask(client, { path: '/token', method: 'POST', headers, body })
      return (answer as Record<string, unknown>)['access_token']
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

/** Reads a token from a map by its key, if it has not expired. */
export function createHitFloor(size: number): (index: number) => Promise<unknown> {
  const keys = Array.from({ length: size }, (_, index) => JSON.stringify(['conn', [`scope-${index}`]]))
  const tokens = new Map(keys.map((key) => [key, { until: Date.now() + 3_600_000 }]))
  return async (index) => {
    const token = tokens.get(JSON.stringify(['conn', [`scope-${index % size}`]]))
    return token && Date.now() < token.until ? token : undefined
  }
}
