import { decodeJwt, UnsecuredJWT } from 'jose'
import { memoryRecords } from '../../lib/adapters/memory-records.ts'
import { readElement } from '../../lib/adapters/read-element.ts'
import type { Connection } from '../../lib/configuration/connection.ts'
import type { Connections } from '../../lib/configuration/connections.ts'
import type { ElementStore } from '../../lib/configuration/element-store.ts'
import { fingerprintOf } from '../../lib/configuration/fingerprint.ts'
import type { LogEvent } from '../../lib/log/log-event.ts'
import { Secret } from '../../lib/secret/secret.ts'
import type { SecretCache } from '../../lib/secret/secret-cache.ts'
import type { Signer } from '../../lib/signing-key/signer.ts'
import type { HandedOutToken } from '../../lib/token/get-token.ts'
import type { TokenRequest } from '../../lib/token/token-request.ts'
import type { RecordStore } from '../../lib/token-cache/record-store.ts'
import type { TokenEndpointAnswer } from '../../lib/token-endpoint/token-endpoint.ts'
import type { RawElements } from './elements.ts'
import { theParts } from './the-parts.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

/** Signs nothing, and so at once: a thread pool knows no virtual time. */
const theSigner: Signer = { sign: async (_header, claims) => new Secret(new UnsecuredJWT({ ...claims }).encode()) }

const thePassword: SecretCache = {
  get: () => Promise.resolve(new Secret('the password')),
  refresh: () => Promise.resolve(false),
  forget() {},
}

/** One request as the far end sees it. */
export interface VirtualRequest {
  readonly form: URLSearchParams
  readonly authorization?: string | undefined
  /** Of the assertion, if there is one. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly at: number
  readonly index: number
}

/** The far end: answers, or throws what the adapter would. */
export type VirtualEndpoint = (request: VirtualRequest) => TokenEndpointAnswer | Promise<TokenEndpointAnswer>

export interface TheTokens {
  readonly time: VirtualTime
  readonly store: RecordStore
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
  /** Of a look into the shared cache: what is read was there when the look began. */
  readonly cacheLatency?: number
  /** Of another process: the two are a fleet. */
  readonly fleet?: TheTokens
  /** What the fleet shares, where it isn't memory that never fails. */
  readonly store?: RecordStore
  /** What this process takes for the elements, if they change. */
  readonly connections?: Connections
  readonly secrets?: SecretCache
  readonly memoryMaximumSeconds?: number
}

/** All of get-token on a clock of its own; only the far end is not real. */
export function createTheTokens(endpoint: VirtualEndpoint, options: TheTokensOptions = {}): TheTokens {
  const { connection = theConnection, latency = 50, random = () => 0.5, cacheLatency = 0, fleet } = options
  const { memoryMaximumSeconds = Infinity, secrets = thePassword } = options
  const time = fleet?.time ?? createVirtualTime()
  const { now, pause } = time
  const requests: VirtualRequest[] = []
  const events: LogEvent[] = []
  const records = options.store ?? fleet?.store ?? memoryRecords({ maximumRecords: 1_000 })
  const store: RecordStore = {
    async read(names) {
      const found = await records.read(names)
      if (cacheLatency > 0) await pause(cacheLatency)
      return found
    },
    write: (...change) => records.write(...change),
    due: (...query) => records.due(...query),
  }
  const { getToken, rejectToken } = theParts({
    connections: options.connections ?? {
      get: () => Promise.resolve({ connection, fingerprint: fingerprintOf(connection) }),
      has: (_name, fingerprint) => fingerprint === fingerprintOf(connection),
    },
    signers: { get: () => Promise.resolve(theSigner) },
    secrets,
    tokenEndpoint: {
      async post(_server, { form, headers }) {
        const fields = new URLSearchParams(form.reveal())
        const assertion = fields.get('client_assertion')
        const claims = assertion === null ? {} : decodeJwt(assertion)
        const authorization = headers['authorization']?.reveal()
        const request = { form: fields, authorization, claims, at: now(), index: requests.length }
        requests.push(request)
        await pause(latency)
        return endpoint(request)
      },
    },
    now,
    random,
    pause,
    log: (event) => events.push(event),
    store,
    memoryMaximumSeconds,
  })
  return {
    time,
    store: records,
    requests,
    events,
    get: (request = {}, deadlineMilliseconds = 25_000) =>
      getToken({ connection: 'conn', further: {}, ...request }, now() + deadlineMilliseconds),
    reject: (tokenId) => rejectToken('conn', tokenId),
  }
}

/** Elements that a test changes as an operator would. */
export function changeableElements(first: RawElements): ElementStore & { change(elements: RawElements): void } {
  let elements = first
  return {
    get: async (references) =>
      references.map((reference) => {
        const element = elements[reference.kind]?.[reference.id]
        return element && readElement(reference, element)
      }),
    ids: async (kind) => Object.keys(elements[kind] ?? {}),
    findings: async () => [],
    change(next) {
      elements = next
    },
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
