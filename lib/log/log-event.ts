import type { Metered, MetricDimension } from './metric.ts'

/** Everything that is said of one kind of event. `Fields` are its fields in the log. */
interface Row<Fields> {
  /** The level in the log. */
  readonly level: 'info' | 'warn'
  /** What it counts for. Undefined where nothing does. */
  metrics?(fields: Fields): Metered['values'] | undefined
  /** The fields by which its metrics are divided. */
  readonly dimensions?: readonly MetricDimension[]
  /** How the local run puts it. */
  sentence(fields: Fields): string
  /** Whether the local run shows it while it serves, when nobody waits for a token at the terminal. */
  readonly isShownWhileServing?: true
}

/** Only fields of the event can be its dimensions. */
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

/** What is told of a client assertion: members of its header, and claims that the elements and the moment set. */
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

/** Who waits while it cools down, for a person at a terminal. */
const concerned = {
  way: (server: string) => `every connection that goes the same way to ${server}`,
  endpoint: (server: string) => `every connection of the token endpoint of ${server}`,
  client: (server: string) => `every connection with this client at ${server}`,
  connection: () => 'this connection',
  token: () => 'this token',
  variants: (server: string) => `requests with parameters for this client at ${server}`,
  caller: () => 'requests with parameters for this connection',
} as const

type CoolsDown = keyof typeof concerned

const tokensFrom = { memory: 'TokensFromMemory', cache: 'TokensFromCache', server: 'TokensFromServer' } as const
/** Of answers with status 500 and more: those that a caller may repeat, and nobody has to mend. */
const passingStatuses: readonly number[] = [503, 504]

/**
 * The catalogue of what happens: all fields, level, metrics and sentence of each event. No event holds a secret, an
 * assertion, a token, or the name of a user.
 */
export const logEvents = {
  connection_resolved: row<OfConnection & Took>({
    level: 'info',
    sentence: (event) => `${event.connection}: elements read and references followed (${event.milliseconds} ms)`,
  }),
  client_authenticated: row<OfConnection & Took & { readonly method: string }>({
    level: 'info',
    sentence: (event) => `${event.method} made (${event.milliseconds} ms)`,
  }),
  token_obtained: row<OfConnection & Took & { readonly authorizationServer: string }>({
    level: 'info',
    metrics: (event) => ({ TokenRequestDuration: event.milliseconds }),
    dimensions: ['connection', 'authorizationServer'],
    sentence: (event) => `${event.authorizationServer} issued a token (${event.milliseconds} ms)`,
  }),
  /** Each attempt by itself. */
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
    sentence: (event) => `${event.authorizationServer} brought no token: ${event.code} (${event.milliseconds} ms)`,
  }),
  /** Beside each refusal what was sent, so that a wrong key, audience, issuer and clock can be told apart. */
  token_request_refused: row<
    OfConnection & {
      readonly authorizationServer: string
      readonly tokenEndpoint: string
      readonly status: number
      /** The server's code, such as `invalid_client`. */
      readonly error: string
      /** With the server's words, unless a user's name and password were sent. */
      readonly reason: string
      /** Those that the connection is made of, such as `jwtBuilder/jwt`. */
      readonly elements: readonly string[]
      readonly clientId: string
      /** Whether the server was told it by itself, and not in an assertion alone. */
      readonly sendsClientId: boolean
      readonly assertion?: ToldAssertion
    }
  >({
    level: 'warn',
    sentence: ({ status, reason }) => `${reason} (status ${status})`,
  }),
  /** The audit of every token that a caller got. */
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
    sentence: (event) => `token issued to ${event.caller} from: ${event.source}, ${event.secondsLeft} s left`,
  }),
  token_request_repeated: row<
    OfConnection & {
      /** How many attempts there were. */
      readonly attempt: number
      /** Until the next attempt. */
      readonly milliseconds: number
    }
  >({
    level: 'info',
    sentence: (event) => `attempt ${event.attempt} failed; the next one in ${Math.round(event.milliseconds)} ms`,
  }),
  /** From now on nobody asks for what `of` names: the connection's, or the caller's alone. */
  cool_down_begun: row<
    OfConnection & {
      readonly authorizationServer: string
      readonly of: CoolsDown
      readonly code: string
      readonly seconds: number
      /** Whom alone it concerns. */
      readonly caller?: string
    }
  >({
    level: 'info',
    sentence: ({ of, authorizationServer, code, seconds, caller }) =>
      `no request for ${seconds} s after ${code}: ${concerned[of](authorizationServer)}${caller === undefined ? '' : ` by ${caller}`}`,
  }),
  /** The server issued a token, or answered at all: whoever was refused until now may ask. */
  cool_down_ended: row<OfConnection & { readonly of: CoolsDown }>({
    level: 'info',
    sentence: ({ connection, of }) => `a request of ${connection} was answered: the cool-down of its ${of} is over`,
  }),
  /** `milliseconds`: how far the server's clock is ahead of ours. */
  clock_offset_learned: row<{ readonly authorizationServer: string; readonly milliseconds: number }>({
    level: 'info',
    sentence: (event) =>
      `the clock of ${event.authorizationServer} is ${event.milliseconds} ms ahead of ours: once more by it`,
  }),
  /** After `invalid_client`: the request is repeated with the secret as it is now. */
  newer_secret_found: row<OfConnection>({
    level: 'info',
    sentence: (event) => `${event.connection} was refused, and its secret has changed: once more with the new one`,
  }),
  /** After `invalid_client`: the request is repeated with the previous key or password. The new one has to be registered. */
  previous_key_tried: row<OfConnection>({
    level: 'warn',
    sentence: (event) => `${event.connection} was refused: once more by the key that was current before`,
  }),
  /** The elements can't be read again, or have mistakes by now: the last good ones serve on. */
  reload_failed: row<OfConnection & Failed>({
    level: 'warn',
    metrics: () => ({ ReloadsFailed: 1 }),
    dimensions: ['connection'],
    sentence: (event) => `${event.connection} can't be read again: ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The shared cache failed or was too slow: for a while this process goes on without it. */
  cache_passed_over: row<Took & { readonly reason: string }>({
    level: 'warn',
    metrics: () => ({ CacheBudgetExceeded: 1 }),
    sentence: (event) => `the shared cache is passed over: ${event.reason} (${event.milliseconds} ms)`,
  }),
  /** The store does not take one record, be it too large or for want of room: what it holds is not shared. */
  record_not_taken: row<{ readonly reason: string }>({
    level: 'warn',
    metrics: () => ({ RecordsNotTaken: 1 }),
    sentence: (event) => `not shared: ${event.reason}`,
  }),
  /** Nobody with the keys of the cache has written it so: it counts as empty, and the next write replaces it. */
  record_not_authentic: row<{ readonly record: string }>({
    level: 'warn',
    metrics: () => ({ RecordsNotAuthentic: 1 }),
    sentence: (event) => `the record ${event.record} has a wrong MAC, and counts as empty`,
  }),
  /** The shared cache holds something that is no token: a miss. */
  cached_token_unreadable: row<OfConnection & { readonly reason: string }>({
    level: 'warn',
    sentence: (event) => `a token in the shared cache can't be read: ${event.reason}`,
  }),
  /** A token was not renewed in time, or not at all; if it is still good it is handed out all the same. */
  renewal_failed: row<OfConnection & Failed>({
    level: 'warn',
    sentence: (event) => `not renewed: ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The event bus did not take it. The caller does the work of the event itself, or it is done later. */
  event_not_raised: row<OfConnection & { readonly type: string; readonly reason: string }>({
    level: 'warn',
    sentence: (event) => `${event.type} was not raised: ${event.reason}`,
    isShownWhileServing: true,
  }),
  warm_run_ended: row<
    Took & {
      readonly due: number
      readonly renewed: number
      readonly failed: number
      /** For the next run: there was no time for them. */
      readonly left: number
    }
  >({
    level: 'info',
    metrics: ({ renewed, failed, left, milliseconds }) => {
      return { WarmRenewed: renewed, WarmFailed: failed, WarmLeft: left, WarmRunDuration: milliseconds }
    },
    sentence: ({ due, renewed, failed, left, milliseconds }) =>
      `warm run: ${due} due, ${renewed} renewed, ${failed} failed, ${left} left (${milliseconds} ms)`,
    isShownWhileServing: true,
  }),
  /** An operator's: all of it was cleared a moment ago. Without a connection: that of all connections. */
  clearing_skipped: row<Partial<OfConnection>>({
    level: 'info',
    sentence: ({ connection = 'all connections' }) => `not cleared again: ${connection}, cleared less than 30 s ago`,
    isShownWhileServing: true,
  }),
  event_answered: row<Took & { readonly type: string }>({
    level: 'info',
    metrics: ({ type }) => (type === 'ReconcileElements' ? { Reconciliations: 1 } : undefined),
    sentence: (event) => `${event.type} answered (${event.milliseconds} ms)`,
    isShownWhileServing: true,
  }),
  event_failed: row<
    Failed & {
      readonly type: string
      /** Which one it was. */
      readonly attempt: number
      /** Whether the event goes to the dead-letter queue now. */
      readonly isLast: boolean
    }
  >({
    level: 'warn',
    metrics: () => ({ EventsFailed: 1 }),
    sentence: (event) => `${event.type} failed, attempt ${event.attempt}: ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The event stays in its queue, which moves it later, without a reason. */
  dead_letter_not_taken: row<Failed>({
    level: 'warn',
    sentence: (event) => `not taken by the dead letters: ${event.reason}`,
  }),
  rotation_step_done: row<OfBuilder & Took & { readonly step: string }>({
    level: 'info',
    sentence: (event) => `${event.step} done for jwtBuilder/${event.jwtBuilder} (${event.milliseconds} ms)`,
    isShownWhileServing: true,
  }),
  /** Builder and step are absent where the request named none that can be read. */
  rotation_failed: row<Partial<OfBuilder> & Failed & { readonly step?: string }>({
    level: 'warn',
    metrics: () => ({ RotationsFailed: 1 }),
    sentence: (event) => `${event.step ?? 'a step'} of a rotation failed: ${event.reason}`,
    isShownWhileServing: true,
  }),
  keys_published: row<
    OfBuilder & {
      /** How many keys anybody may see. */
      readonly keys: number
      /** Since what is published was signed. Absent where nothing is. */
      readonly signatureAgeSeconds?: number
      /** For how long the key that signs has done so, where it is rotated. */
      readonly keyAgeSeconds?: number
      /** Whether the next key has not come in time, where Tokenwell makes them. */
      readonly isKeyOverdue?: boolean
    }
  >({
    level: 'info',
    metrics({ signatureAgeSeconds, keyAgeSeconds, isKeyOverdue }) {
      return {
        ...(signatureAgeSeconds !== undefined && { PublicationAge: signatureAgeSeconds }),
        ...(keyAgeSeconds !== undefined && { SigningKeyAge: keyAgeSeconds }),
        // A zero shows that somebody looked. Without it an alarm could not tell that from silence.
        ...(isKeyOverdue !== undefined && { SigningKeyOverdue: Number(isKeyOverdue) }),
      }
    },
    dimensions: ['jwtBuilder'],
    sentence: (event) => `jwtBuilder/${event.jwtBuilder}: ${event.keys} public keys are published`,
    isShownWhileServing: true,
  }),
  /** By an operator's event. `wasPublished`: whether a key of that name was published then; otherwise it may be misspelt. */
  key_revoked: row<OfBuilder & { readonly kid: string; readonly wasPublished: boolean }>({
    level: 'warn',
    sentence: ({ jwtBuilder, kid, wasPublished }) =>
      `jwtBuilder/${jwtBuilder}: the key ${kid} is revoked${wasPublished ? '' : ', and none of that name was published: check it'}`,
    isShownWhileServing: true,
  }),
  /** What was published stays, until its signature is too old. */
  publication_failed: row<OfBuilder & Failed & { readonly signatureAgeSeconds?: number }>({
    level: 'warn',
    metrics: ({ signatureAgeSeconds: age }) => (age === undefined ? undefined : { PublicationAge: age }),
    dimensions: ['jwtBuilder'],
    sentence: (event) => `jwtBuilder/${event.jwtBuilder}: what is published stays as it is: ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The record of the published keys was written by somebody else, or is an old one that was put back: none of its keys is shown. */
  publication_refused: row<
    OfBuilder & { readonly why: 'unsigned' | 'wrong_signature' | 'too_old' | 'signed_in_the_future' }
  >({
    level: 'warn',
    metrics: () => ({ PublicationsRefused: 1 }),
    dimensions: ['jwtBuilder'],
    sentence: (event) =>
      `jwtBuilder/${event.jwtBuilder}: what is in the cache as its published keys is refused: ${event.why}`,
    isShownWhileServing: true,
  }),
  /** Whatever the answer. */
  api_called: row<OfConnection & Took & { readonly status: number }>({
    level: 'info',
    metrics: (event) => ({ ApiCallDuration: event.milliseconds }),
    dimensions: ['connection'],
    sentence: (event) => `${event.connection}: the API answered ${event.status} (${event.milliseconds} ms)`,
    isShownWhileServing: true,
  }),
  /** No answer, or none that can be passed on. The code is an error type of RFC 9209. */
  api_call_failed: row<OfConnection & Took & { readonly code: string }>({
    level: 'warn',
    metrics: () => ({ ApiCallsFailed: 1 }),
    dimensions: ['connection'],
    sentence: (event) => `${event.connection}: the API gave no answer: ${event.code} (${event.milliseconds} ms)`,
    isShownWhileServing: true,
  }),
  /** Once more: with another token, over another connection, or by another client certificate. */
  api_call_repeated: row<
    OfConnection & { readonly reason: 'token_rejected' | 'dead_connection' | 'newer_certificate' }
  >({
    level: 'info',
    metrics: ({ reason }) => (reason === 'token_rejected' ? { ApiTokensRejected: 1 } : undefined),
    dimensions: ['connection'],
    sentence: (event) => `${event.connection}: once more (${event.reason})`,
    isShownWhileServing: true,
  }),
  /** Of an API's answer, which is passed on without it: a reference or a cookie that is of no use to the caller. */
  api_header_left_out: row<OfConnection & { readonly header: string; readonly reason: string }>({
    level: 'info',
    sentence: (event) => `${event.connection}: ${event.header} of the answer is left out: ${event.reason}`,
    isShownWhileServing: true,
  }),
  request_failed: row<
    // The connection is there where the request names one that may be.
    Partial<OfConnection> & Failed & { readonly status: number; readonly requestId: string }
  >({
    level: 'warn',
    metrics: ({ status }) => (status < 500 || passingStatuses.includes(status) ? undefined : { RequestsFailed: 1 }),
    dimensions: ['connection'],
    sentence: (event) => `failed with ${event.status} ${event.code}: ${event.reason}`,
  }),
} as const

type FieldsOf<Each> = Each extends Row<infer Fields> ? Fields : never
export type LogEventName = keyof typeof logEvents
export type LogEvent = {
  [Name in LogEventName]: { readonly event: Name } & FieldsOf<(typeof logEvents)[Name]>
}[LogEventName]

/** Writes an event down. It never throws and nobody waits for it. */
export type Log = (event: LogEvent) => void

/** The row of an event, which takes the fields of that event alone. */
function rowOf({ event }: LogEvent): Row<LogEvent> {
  return logEvents[event] as Row<LogEvent>
}

/** What an event counts for. Undefined where nothing does. */
export function meter(event: LogEvent): Metered | undefined {
  const { metrics, dimensions: names = [] } = rowOf(event)
  const values = metrics?.(event)
  if (!values || Object.keys(values).length === 0) return undefined
  const fields: Metered['dimensions'] & { readonly event: string } = event
  const dimensions: { [Name in MetricDimension]?: string } = {}
  for (const name of names) if (fields[name] !== undefined) dimensions[name] = fields[name]
  return { values, dimensions }
}

/** One line for a person at a terminal. */
export function describeLogEvent(event: LogEvent): string {
  return rowOf(event).sentence(event)
}
