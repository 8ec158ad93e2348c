import type { Metered, MetricDimension } from './metric.ts'

/** One row of the catalogue: what is known about one kind of event. `Fields` are its fields in the log. */
interface Row<Fields> {
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

function row<Fields>(settings: Row<Fields> & Dimensions<Fields>): Row<Fields> {
  return settings
}

interface OfConnection {
  readonly connection: string
}
interface OfBuilder {
  readonly jwtBuilder: string
}
interface Took {
  readonly milliseconds: number
}
interface Failed {
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

/** Which requests wait for the end of a cool-down. */
const concerned = {
  way: (server: string) => `all connections that reach ${server} the same way: endpoint, proxy and TLS settings`,
  endpoint: (server: string) => `all connections to the token endpoint of ${server}`,
  client: (server: string) => `all connections of this client at ${server}`,
  connection: () => 'this connection',
  token: () => 'this token',
  variants: (server: string) => `requests with caller parameters for this client at ${server}`,
  caller: () => 'requests with caller parameters for this connection',
} as const

type CoolsDown = keyof typeof concerned

const tokensFrom = { memory: 'TokensFromMemory', cache: 'TokensFromCache', server: 'TokensFromServer' } as const
/** Statuses from 500 up after which a caller may repeat the request, and which need no fix. */
const passingStatuses: readonly number[] = [503, 504]

/**
 * The catalogue of events: the fields, level, metrics and sentence of each. No event holds a secret, an assertion, a token,
 * or the name of a user.
 */
export const logEvents = {
  connection_resolved: row<OfConnection & Took>({
    level: 'info',
    sentence: (event) =>
      `Read the elements of the connection ${event.connection} and followed their references in ${event.milliseconds} ms.`,
  }),
  client_authenticated: row<OfConnection & Took & { readonly method: string }>({
    level: 'info',
    sentence: (event) => `Made the client authentication ${event.method} in ${event.milliseconds} ms.`,
  }),
  token_obtained: row<OfConnection & Took & { readonly authorizationServer: string }>({
    level: 'info',
    metrics: (event) => ({ TokenRequestDuration: event.milliseconds }),
    dimensions: ['connection', 'authorizationServer'],
    sentence: (event) => `${event.authorizationServer} issued a token in ${event.milliseconds} ms.`,
  }),
  /** One event for each attempt. */
  token_request_failed: row<
    OfConnection &
      Took & {
        readonly authorizationServer: string
        /** The code of a `TokenEndpointError`. */
        readonly code: string
      }
  >({
    level: 'info',
    metrics: ({ code }) => ({ [code === 'refused' ? 'TokenRequestsRefused' : 'TokenRequestsFailed']: 1 }),
    dimensions: ['connection', 'authorizationServer'],
    sentence: (event) => `${event.authorizationServer} issued no token: ${event.code} after ${event.milliseconds} ms.`,
  }),
  /** What was sent in a refused token request, so that a wrong key, audience, issuer and clock can be told apart. */
  token_request_refused: row<
    OfConnection & {
      readonly authorizationServer: string
      readonly tokenEndpoint: string
      readonly status: number
      /** The server's code, such as `invalid_client`. */
      readonly error: string
      /** Includes the server's words, unless the request had a user's name and password. */
      readonly reason: string
      /** The elements of the connection, such as `jwtBuilder/jwt`. */
      readonly elements: readonly string[]
      readonly clientId: string
      /** Whether the client id was also sent outside the assertion. */
      readonly sendsClientId: boolean
      /** The assertion that authenticates the client. */
      readonly assertion?: ToldAssertion
      /** The assertion that is the grant. */
      readonly grantAssertion?: ToldAssertion
    }
  >({
    level: 'warn',
    sentence({ connection, status, reason, elements, clientId, assertion, grantAssertion }) {
      const assertions = [
        ...(assertion ? [`the assertion ${JSON.stringify(assertion)}`] : []),
        ...(grantAssertion ? [`the assertion ${JSON.stringify(grantAssertion)} as its grant`] : []),
      ]
      const sent = assertions.length > 0 ? assertions.join(' and ') : 'no assertion'
      const toCheck = elements.join(', ')
      return `${reason} The status was ${status}. The connection ${connection} sent ${sent} for the client ${clientId}. Check its elements: ${toCheck}.`
    },
    isShownWhileServing: true,
  }),
  /** The audit event of every token that a caller got. */
  token_issued: row<
    OfConnection & {
      readonly caller: string
      readonly tokenId: string
      readonly source: 'memory' | 'cache' | 'server'
      readonly secondsLeft: number
    }
  >({
    level: 'info',
    metrics: ({ source, secondsLeft }) => ({ [tokensFrom[source]]: 1, SecondsLeft: secondsLeft }),
    dimensions: ['connection'],
    sentence: (event) =>
      `The caller ${event.caller} got a token from: ${event.source}. It is valid for ${event.secondsLeft} s.`,
  }),
  token_request_repeated: row<
    OfConnection & {
      /** The number of attempts so far. */
      readonly attempt: number
      /** Until the next attempt. */
      readonly milliseconds: number
    }
  >({
    level: 'info',
    sentence({ attempt, milliseconds }) {
      const wait = Math.round(milliseconds)
      return `Attempt ${attempt} failed. The next attempt follows in ${wait} ms.`
    },
  }),
  /** No token request is made for what `of` names, for the connection or for one caller only. */
  cool_down_begun: row<
    OfConnection & {
      readonly authorizationServer: string
      readonly of: CoolsDown
      readonly code: string
      readonly seconds: number
      /** Present if the cool-down is for one caller only. */
      readonly caller?: string
    }
  >({
    level: 'info',
    sentence({ of, authorizationServer, code, seconds, caller }) {
      const waiting = concerned[of](authorizationServer) + (caller === undefined ? '' : ` by ${caller}`)
      return `A token request failed (${code}). For ${seconds} s, Tokenwell makes no token request for ${waiting}.`
    },
  }),
  /** The server issued a token, or answered at all, so requests are allowed again. */
  cool_down_ended: row<OfConnection & { readonly of: CoolsDown }>({
    level: 'info',
    sentence: ({ connection, of }) =>
      `The server answered a request of the connection ${connection}. The cool-down of its ${of} has ended.`,
  }),
  /** `milliseconds`: how far the server's clock is ahead of Tokenwell's. */
  clock_offset_learned: row<{ readonly authorizationServer: string; readonly milliseconds: number }>({
    level: 'info',
    sentence: (event) =>
      `The clock of ${event.authorizationServer} is ${event.milliseconds} ms ahead of this one. Tokenwell repeats the request with the server's time.`,
  }),
  /** After `invalid_client`: the request is repeated with the current secret. */
  newer_secret_found: row<OfConnection>({
    level: 'info',
    sentence: (event) =>
      `The server refused the client of the connection ${event.connection}, but its secret has changed. Tokenwell repeats the request with the new secret.`,
  }),
  /**
   * After `invalid_client`: the request is repeated with the previous key or password. The operator must register the new
   * one.
   */
  previous_key_tried: row<OfConnection>({
    level: 'warn',
    sentence: (event) =>
      `The server refused the client of the connection ${event.connection}. Tokenwell repeats the request with the previous key or password. Register the new one at the server.`,
  }),
  /** The elements can't be read again, or have mistakes now. The last valid elements stay in use. */
  reload_failed: row<OfConnection & Failed>({
    level: 'warn',
    metrics: () => ({ ReloadsFailed: 1 }),
    dimensions: ['connection'],
    sentence: (event) =>
      `The elements of the connection ${event.connection} cannot be read again, so the last valid ones stay in use: ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The shared cache failed or was too slow. For a while this instance works without it. */
  cache_passed_over: row<Took & { readonly reason: string }>({
    level: 'warn',
    metrics: () => ({ CacheBudgetExceeded: 1 }),
    sentence: (event) =>
      `The shared cache failed after ${event.milliseconds} ms. For a few seconds, this instance works without it and requests its own tokens: ${event.reason}`,
  }),
  /** The store did not take a record, because it is too large or the store is full. Its content is not shared. */
  record_not_taken: row<{ readonly reason: string }>({
    level: 'warn',
    metrics: () => ({ RecordsNotTaken: 1 }),
    sentence: (event) => `The shared cache did not take a record, so its content is not shared: ${event.reason}`,
  }),
  /** The record was not written with the keys of the cache. It counts as empty, and the next write replaces it. */
  record_not_authentic: row<{ readonly record: string }>({
    level: 'warn',
    metrics: () => ({ RecordsNotAuthentic: 1 }),
    sentence: (event) =>
      `The record ${event.record} has a wrong MAC and counts as empty. If nobody changed the naming key, check who may write to the shared cache.`,
  }),
  /** The shared cache holds something that is not a token. It counts as a miss. */
  cached_token_unreadable: row<OfConnection & { readonly reason: string }>({
    level: 'warn',
    sentence: (event) =>
      `A token of the connection ${event.connection} in the shared cache cannot be read: ${event.reason}`,
  }),
  /** A token was not renewed in time, or not at all. As long as it is valid, it is still handed out. */
  renewal_failed: row<OfConnection & Failed>({
    level: 'warn',
    sentence: (event) => `A token of the connection ${event.connection} was not renewed: ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The event bus did not take an event. The instance does the work of the event itself, or the work is done later. */
  event_not_raised: row<Partial<OfConnection> & { readonly type: string; readonly reason: string }>({
    level: 'warn',
    sentence: (event) => `The event ${event.type} was not raised: ${event.reason}`,
    isShownWhileServing: true,
  }),
  warm_run_ended: row<
    Took & {
      readonly due: number
      readonly renewed: number
      readonly failed: number
      /** Tokens for which there was no time. They are left to the next run. */
      readonly left: number
      /** The authorization servers of these tokens. */
      readonly leftAt: readonly string[]
    }
  >({
    level: 'info',
    metrics: ({ renewed, failed, left, milliseconds }) => {
      return { WarmRenewed: renewed, WarmFailed: failed, WarmLeft: left, WarmRunDuration: milliseconds }
    },
    sentence({ due, renewed, failed, left, leftAt, milliseconds }) {
      const servers = leftAt.length === 0 ? '' : ` They are tokens of: ${leftAt.join(', ')}.`
      return `The warm run took ${milliseconds} ms: ${due} tokens due, ${renewed} renewed, ${failed} failed, ${left} left to the next run.${servers}`
    },
    isShownWhileServing: true,
  }),
  /**
   * An operator's event cleared nothing, as the same tokens were cleared less than 30 s ago. Without a connection: all
   * connections.
   */
  clearing_skipped: row<Partial<OfConnection>>({
    level: 'info',
    sentence: ({ connection = 'all connections' }) =>
      `Not cleared again: the tokens of ${connection} were cleared less than 30 s ago.`,
    isShownWhileServing: true,
  }),
  event_answered: row<Took & { readonly type: string }>({
    level: 'info',
    metrics: ({ type }) => (type === 'ReconcileElements' ? { Reconciliations: 1 } : undefined),
    sentence: (event) => `The event ${event.type} was handled in ${event.milliseconds} ms.`,
    isShownWhileServing: true,
  }),
  /** The connection is present if the event names one. */
  event_failed: row<
    Partial<OfConnection> &
      Failed & {
        readonly type: string
        /** The number of this attempt. */
        readonly attempt: number
        /** Whether the event now goes to the dead-letter queue. */
        readonly isLast: boolean
      }
  >({
    level: 'warn',
    metrics: () => ({ EventsFailed: 1 }),
    sentence({ type, connection, attempt, reason }) {
      const where = connection === undefined ? '' : ` for the connection ${connection}`
      return `Attempt ${attempt} at the event ${type}${where} failed: ${reason}`
    },
    isShownWhileServing: true,
  }),
  /** The event stays in its queue. The queue moves it later, without a reason. */
  dead_letter_not_taken: row<Failed>({
    level: 'warn',
    sentence: (event) => `The dead-letter queue did not take an event: ${event.reason}`,
  }),
  /** The names are at most the first 50. */
  elements_planned: row<{
    readonly created: number
    readonly changed: number
    readonly deleted: number
    readonly unchanged: number
    readonly names: string
  }>({
    level: 'info',
    sentence: ({ created, changed, deleted, unchanged, names }) =>
      `Elements to create: ${created}, to change: ${changed}, to delete: ${deleted}; ${unchanged} stay as they are. ${names}`,
  }),
  elements_written: row<Took>({
    level: 'info',
    sentence: (event) => `All elements are written (${event.milliseconds} ms).`,
  }),
  elements_not_written: row<Failed>({
    level: 'warn',
    sentence: (event) => `The elements were not written: ${event.reason}`,
  }),
  rotation_step_done: row<OfBuilder & Took & { readonly step: string }>({
    level: 'info',
    sentence: (event) =>
      `The rotation step ${event.step} of jwtBuilder/${event.jwtBuilder} is done (${event.milliseconds} ms).`,
    isShownWhileServing: true,
  }),
  /** Builder and step are absent if the request names none that can be read. */
  rotation_failed: row<Partial<OfBuilder> & Failed & { readonly step?: string }>({
    level: 'warn',
    metrics: () => ({ RotationsFailed: 1 }),
    sentence: ({ step = 'of unknown name', reason }) => `The rotation step ${step} failed: ${reason}`,
    isShownWhileServing: true,
  }),
  keys_published: row<
    OfBuilder & {
      /** The number of published keys. */
      readonly keys: number
      /** Time since the publication was signed. Absent if there is no publication. */
      readonly signatureAgeSeconds?: number
      /** How long the current key has been signing. Present for keys that are rotated. */
      readonly keyAgeSeconds?: number
      /** Whether the next key is late. Present if Tokenwell makes the keys. */
      readonly isKeyOverdue?: boolean
    }
  >({
    level: 'info',
    metrics({ signatureAgeSeconds, keyAgeSeconds, isKeyOverdue }) {
      return {
        ...(signatureAgeSeconds !== undefined && { PublicationAge: signatureAgeSeconds }),
        ...(keyAgeSeconds !== undefined && { SigningKeyAge: keyAgeSeconds }),
        // A zero shows that the check ran. Without it an alarm could not tell a good result from no result.
        ...(isKeyOverdue !== undefined && { SigningKeyOverdue: Number(isKeyOverdue) }),
      }
    },
    dimensions: ['jwtBuilder'],
    sentence: ({ jwtBuilder, keys }) =>
      keys === 0
        ? `jwtBuilder/${jwtBuilder} publishes no public key. This is normal if it signs with a shared key.`
        : `jwtBuilder/${jwtBuilder} publishes public keys: ${keys}.`,
    isShownWhileServing: true,
  }),
  /** By an operator's event. `wasPublished`: whether a key with that `kid` was published. If not, the `kid` may be misspelt. */
  key_revoked: row<OfBuilder & { readonly kid: string; readonly wasPublished: boolean }>({
    level: 'warn',
    sentence: ({ jwtBuilder, kid, wasPublished }) =>
      wasPublished
        ? `The key ${kid} of jwtBuilder/${jwtBuilder} is revoked.`
        : `The key ${kid} of jwtBuilder/${jwtBuilder} is revoked, but no key with that kid was published. Check the kid.`,
    isShownWhileServing: true,
  }),
  /** The earlier publication stays until its signature is too old. */
  publication_failed: row<OfBuilder & Failed & { readonly signatureAgeSeconds?: number }>({
    level: 'warn',
    metrics: ({ signatureAgeSeconds: age }) => (age === undefined ? undefined : { PublicationAge: age }),
    dimensions: ['jwtBuilder'],
    sentence: ({ jwtBuilder, reason, signatureAgeSeconds: age }) =>
      age === undefined
        ? `The keys of jwtBuilder/${jwtBuilder} cannot be published: ${reason}`
        : `The keys of jwtBuilder/${jwtBuilder} cannot be published again, so the earlier publication stays: ${reason}`,
    isShownWhileServing: true,
  }),
  /** Someone else wrote the record of the published keys, or restored an old one. None of its keys is served. */
  publication_refused: row<
    OfBuilder & { readonly why: 'unsigned' | 'wrong_signature' | 'too_old' | 'signed_in_the_future' }
  >({
    level: 'warn',
    metrics: () => ({ PublicationsRefused: 1 }),
    dimensions: ['jwtBuilder'],
    sentence: (event) => `The publication of jwtBuilder/${event.jwtBuilder} in the cache is refused: ${event.why}.`,
    isShownWhileServing: true,
  }),
  /** Written for every answer, whatever its status. */
  api_called: row<OfConnection & Took & { readonly status: number }>({
    level: 'info',
    metrics: (event) => ({ ApiCallDuration: event.milliseconds }),
    dimensions: ['connection'],
    sentence: (event) =>
      `The API of the connection ${event.connection} answered with status ${event.status} in ${event.milliseconds} ms.`,
    isShownWhileServing: true,
  }),
  /** The API gave no answer, or none that can be passed on. The code is an error type of RFC 9209. */
  api_call_failed: row<OfConnection & Took & { readonly code: string }>({
    level: 'warn',
    metrics: () => ({ ApiCallsFailed: 1 }),
    dimensions: ['connection'],
    sentence: (event) =>
      `The API of the connection ${event.connection} gave no usable answer: ${event.code} after ${event.milliseconds} ms.`,
    isShownWhileServing: true,
  }),
  /** The call is repeated: with another token, over another connection, or with another client certificate. */
  api_call_repeated: row<
    OfConnection & { readonly reason: 'token_rejected' | 'dead_connection' | 'newer_certificate' }
  >({
    level: 'info',
    metrics: ({ reason }) => (reason === 'token_rejected' ? { ApiTokensRejected: 1 } : undefined),
    dimensions: ['connection'],
    sentence: (event) => `Tokenwell repeats a call to the API of the connection ${event.connection}: ${event.reason}.`,
    isShownWhileServing: true,
  }),
  /** A reference or cookie in the API's answer that the caller can't use. The answer is passed on without it. */
  api_header_left_out: row<OfConnection & { readonly header: string; readonly reason: string }>({
    level: 'info',
    sentence: (event) =>
      `The answer of the API of the connection ${event.connection} is passed on without ${event.header}: ${event.reason}`,
    isShownWhileServing: true,
  }),
  request_failed: row<
    // The connection is present if the request names a possible one.
    Partial<OfConnection> & Failed & { readonly status: number; readonly requestId: string }
  >({
    level: 'warn',
    metrics: ({ status }) => (status < 500 || passingStatuses.includes(status) ? undefined : { RequestsFailed: 1 }),
    dimensions: ['connection'],
    sentence: (event) => `The request failed with ${event.status} ${event.code}: ${event.reason}`,
  }),
} as const

type FieldsOf<Each> = Each extends Row<infer Fields> ? Fields : never
export type LogEventName = keyof typeof logEvents
export type LogEvent = {
  [Name in LogEventName]: { readonly event: Name } & FieldsOf<(typeof logEvents)[Name]>
}[LogEventName]

/** Logs an event. It never throws, and no caller waits for it. */
export type Log = (event: LogEvent) => void

/** The row of an event, which takes only the fields of that event. */
function rowOf({ event }: LogEvent): Row<LogEvent> {
  return logEvents[event] as Row<LogEvent>
}

/** The metrics of an event. Undefined if it has none. */
export function meter(event: LogEvent): Metered | undefined {
  const { metrics, dimensions: names = [] } = rowOf(event)
  const values = metrics?.(event)
  if (!values || Object.keys(values).length === 0) return undefined
  const fields: Metered['dimensions'] & { readonly event: string } = event
  const dimensions: { [Name in MetricDimension]?: string } = {}
  for (const name of names) if (fields[name] !== undefined) dimensions[name] = fields[name]
  return { values, dimensions }
}

/** One sentence for a person at a terminal. */
export function describeLogEvent(event: LogEvent): string {
  return rowOf(event).sentence(event)
}
