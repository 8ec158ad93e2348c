import { randomBytes } from 'node:crypto'
import { decodeJwt, UnsecuredJWT } from 'jose'
import { memoryTokenCache } from '../../lib/adapters/memory-token-cache.ts'
import type { Connection } from '../../lib/configuration/connection.ts'
import type { LogEvent } from '../../lib/log/log-event.ts'
import { Secret } from '../../lib/secret/secret.ts'
import type { Signer } from '../../lib/signing-key/signer.ts'
import { withClockCorrection } from '../../lib/token/clock-correction.ts'
import { createClockOffsets } from '../../lib/token/clock-offsets.ts'
import { createCoolDowns } from '../../lib/token/cool-downs.ts'
import { createGetToken, type HandedOutToken } from '../../lib/token/get-token.ts'
import { createObtainToken } from '../../lib/token/obtain-token.ts'
import { createRejectToken } from '../../lib/token/reject-token.ts'
import { withRequestPolicy } from '../../lib/token/request-policy.ts'
import type { TokenCache } from '../../lib/token/token-cache.ts'
import type { TokenRequest } from '../../lib/token/token-request.ts'
import type { TokenEndpointAnswer } from '../../lib/token-endpoint/token-endpoint.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

/** Signs nothing, and so at once: a thread pool knows no virtual time. */
const theSigner: Signer = { sign: async (_header, claims) => new Secret(new UnsecuredJWT({ ...claims }).encode()) }

/** One request as the far end sees it. */
export interface VirtualRequest {
  readonly form: URLSearchParams
  readonly claims: Readonly<Record<string, unknown>>
  readonly at: number
  readonly index: number
}

/** The far end: answers, or throws what the adapter would. */
export type VirtualEndpoint = (request: VirtualRequest) => TokenEndpointAnswer | Promise<TokenEndpointAnswer>

export interface TheTokens {
  readonly time: VirtualTime
  readonly requests: readonly VirtualRequest[]
  readonly events: readonly LogEvent[]
  get(request?: Partial<TokenRequest>, deadlineMilliseconds?: number): Promise<HandedOutToken>
  reject(tokenId: string): Promise<void>
}

export const theConnection: Connection = {
  name: 'conn',
  grantType: 'client_credentials',
  clientId: 'theClient',
  clientAuthentication: {
    method: 'private_key_jwt',
    sendClientId: false,
    assertion: {
      issuer: 'theClient',
      subject: 'theClient',
      audiences: ['https://as.example.com'],
      expiresInSeconds: 120,
      issuedAtOffsetSeconds: 0,
      hasJwtId: true,
      claims: {},
      algorithm: 'ES256',
      type: 'JWT',
      certificateThumbprint: 'none',
      key: { location: 'tokenwell/test/the-key' },
    },
  },
  authorizationServer: {
    id: 'theServer',
    tokenEndpoint: 'https://as.example.com/token',
    tls: { minimumVersion: 'TLSv1.2' },
    connectTimeoutMilliseconds: 3_000,
    receiveTimeoutMilliseconds: 8_000,
    maximumConcurrency: 10,
    coolDownSeconds: 30,
    lifetime: { assumedLifetimeSeconds: 300 },
  },
  parameters: { scope: [], resource: [], further: {} },
}

export interface TheTokensOptions {
  readonly connection?: Connection
  readonly latency?: number
  readonly random?: () => number
  /** Of a look into the cache: what is read was there when the look began. */
  readonly cacheLatency?: number
}

/** All of get-token on a clock of its own; only the far end is not real. */
export function createTheTokens(
  endpoint: VirtualEndpoint,
  { connection = theConnection, latency = 50, random = () => 0.5, cacheLatency = 0 }: TheTokensOptions = {},
): TheTokens {
  const time = createVirtualTime()
  const { now, pause } = time
  const requests: VirtualRequest[] = []
  const events: LogEvent[] = []
  const log = (event: LogEvent) => void events.push(event)
  const clockOffsets = createClockOffsets()
  const memory = memoryTokenCache({ maximumTokens: 1_000 })
  const cache: TokenCache = {
    ...memory,
    async get(key) {
      const found = await memory.get(key)
      if (cacheLatency > 0) await pause(cacheLatency)
      return found
    },
  }
  const rejectToken = createRejectToken(cache, now)
  const askOnce = createObtainToken({
    signers: { get: () => Promise.resolve(theSigner) },
    secrets: { get: () => Promise.resolve(new Secret('the password')) },
    tokenEndpoint: {
      async post(_server, { form }) {
        const fields = new URLSearchParams(form.reveal())
        const claims = decodeJwt(fields.get('client_assertion') ?? '')
        const request = { form: fields, claims, at: now(), index: requests.length }
        requests.push(request)
        await pause(latency)
        return endpoint(request)
      },
    },
    clockOffsets,
    now,
    random,
    randomId: () => randomBytes(16).toString('base64url'),
    log,
  })
  const askInTime = withClockCorrection(askOnce, clockOffsets, log)
  const getToken = createGetToken({
    connections: { get: () => Promise.resolve(connection) },
    cache,
    rejectToken,
    obtainToken: withRequestPolicy(askInTime, { coolDowns: createCoolDowns(now), now, random, pause, log }),
    now,
    pause,
    log,
  })
  return {
    time,
    requests,
    events,
    get: (request = {}, deadlineMilliseconds = 25_000) =>
      getToken({ connection: 'conn', further: {}, ...request }, now() + deadlineMilliseconds),
    reject: (tokenId) => rejectToken('conn', tokenId),
  }
}

let issued = 0

/** A fine answer with a token that no other has. */
export function virtualToken(members: Record<string, unknown> = {}): TokenEndpointAnswer {
  const body = { access_token: `some-token-${issued++}`, token_type: 'Bearer', expires_in: 300, ...members }
  return { status: 200, body: JSON.stringify(body) }
}

export function virtualRefusal(error: string, more: Partial<TokenEndpointAnswer> = {}): TokenEndpointAnswer {
  return { status: 400, body: JSON.stringify({ error }), ...more }
}
