import type { TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import {
  TimedOutError,
  UnreachableError,
  UnreadableAnswerError,
} from '../../../lib/token-endpoint/token-endpoint-error.ts'

/** What a request meets in place of a token, after this many milliseconds or after all the time that it has. */
export interface FarEnd {
  readonly takes: number | 'all'
  /** Answers, or throws what the adapter would throw. */
  act(): TokenEndpointAnswer
}

/** What a failure is about. `rules.ts` says who waits for each one. */
export type Evidence = 'way' | 'hang-up' | 'endpoint' | 'limit' | 'client' | 'challenge' | 'connection' | 'request'

export interface Failure {
  readonly name: string
  readonly evidence: Evidence
  readonly farEnd: FarEnd
  /** The wait that the server asks for. */
  readonly retryAfterSeconds?: number
  /** A transient failure. If nothing is known against the server yet, one request makes three attempts. */
  readonly isRepeated?: boolean
  /**
   * It runs for ten minutes with each kind of request. The first failure of each evidence does, and those with a timing
   * of their own.
   */
  readonly isFull?: true
}

const answers = (answer: TokenEndpointAnswer): FarEnd => ({ takes: 50, act: () => answer })
const throwing = (takes: FarEnd['takes'], make: () => Error): FarEnd => ({
  takes,
  act() {
    throw make()
  },
})

const blocked = (name: string, isLasting: boolean, takes: FarEnd['takes'] = 20): Failure => ({
  name,
  evidence: 'way',
  isRepeated: !isLasting,
  farEnd: throwing(takes, () => new UnreachableError(`Virtually: ${name}.`, { blames: 'way', isLasting })),
})

const ways: readonly Failure[] = [
  { ...blocked('connection refused', false), isFull: true },
  blocked('no such host', false),
  blocked('no route to the host', false),
  blocked('no connection before the connect time-out', false, 3_000),
  { ...blocked('TLS: a certificate of an unknown CA', true), isFull: true },
  blocked('TLS: an expired certificate', true),
  blocked('TLS: a certificate for another host', true),
  blocked('TLS: no common version', true),
  blocked('TLS: the client certificate is refused', true),
  blocked('the proxy answers 407', true),
  blocked('the proxy refuses the tunnel', false),
  blocked('the proxy is down', false),
]

/**
 * A server may hang up like this if it does not accept a client certificate, or if a caller parameter makes it fail.
 */
const hangUps: readonly Failure[] = [
  {
    name: 'a connection closed after the request, without a byte',
    evidence: 'hang-up',
    isRepeated: true,
    farEnd: throwing(100, () => new UnreachableError('Virtually: closed.', { blames: 'way', wasSent: true })),
    isFull: true,
  },
]

const status = (code: number, more: Partial<TokenEndpointAnswer> = {}): FarEnd =>
  answers({ status: code, body: '', ...more })
const broken = (name: string, farEnd: FarEnd): Failure => ({ name, evidence: 'endpoint', farEnd })
const passing = (name: string, farEnd: FarEnd): Failure => ({ ...broken(name, farEnd), isRepeated: true })
const html = '<!doctype html><title>no</title>'
const tokenWith = (members: object) =>
  JSON.stringify({ access_token: 'some-token', token_type: 'Bearer', expires_in: 300, ...members })

const endpoints: readonly Failure[] = [
  { ...broken('500', status(500, { body: '{}' })), isFull: true },
  { ...passing('503', status(503)), isFull: true },
  ...[502, 504].map((code) => passing(String(code), status(code))),
  ...[501, 505, 507, 520, 599].map((code) => broken(String(code), status(code))),
  broken('500 with HTML', status(500, { body: html })),
  { ...passing('503 with Retry-After: 120', status(503, { retryAfter: '120' })), retryAfterSeconds: 120 },
  {
    ...broken(
      'silence',
      throwing('all', () => new TimedOutError('Virtually: silence.', { isServers: true })),
    ),
    isFull: true,
  },
  passing(
    'a connection cut off within the answer',
    throwing(100, () => new UnreachableError('Virtually: cut off.', { blames: 'endpoint' })),
  ),
  broken('200 with HTML', status(200, { body: html })),
  passing('200 and nothing', status(200)),
  broken('200 with half of a JSON object', status(200, { body: '{"access_token":' })),
  broken('200 with an unknown token_type', status(200, { body: tokenWith({ token_type: 'mac' }) })),
  broken('200 without an access_token', status(200, { body: '{"token_type":"Bearer"}' })),
  broken(
    'an answer that is too large',
    throwing(50, () => new UnreadableAnswerError('Virtually: too large.')),
  ),
  broken('302', status(302)),
  broken('404 with HTML', status(404, { body: html })),
  broken('405', status(405)),
  { ...refused('endpoint', 500, 'server_error'), isRepeated: true },
  { ...refused('endpoint', 400, 'temporarily_unavailable'), isRepeated: true },
]

function refused(
  evidence: Evidence,
  code: number,
  error: string,
  more: Partial<TokenEndpointAnswer> = {},
): Failure & Partial<Failure> {
  return { name: `${code} ${error}`, evidence, farEnd: status(code, { body: JSON.stringify({ error }), ...more }) }
}

const limits: readonly Failure[] = [
  { name: '429', evidence: 'limit', farEnd: status(429), isFull: true },
  {
    name: '429 with Retry-After: 120',
    evidence: 'limit',
    farEnd: status(429, { retryAfter: '120' }),
    retryAfterSeconds: 120,
  },
  {
    name: '429 with X-Rate-Limit-Reset: 90',
    evidence: 'limit',
    farEnd: status(429, { rateLimitReset: '90' }),
    retryAfterSeconds: 90,
  },
]

const clients: readonly Failure[] = [
  { ...refused('client', 401, 'invalid_client'), isFull: true },
  refused('client', 400, 'invalid_client'),
  { ...refused('challenge', 401, 'unauthorized', { challenge: 'Basic' }), name: '401 with a challenge', isFull: true },
  { name: '401 without a body', evidence: 'challenge', farEnd: status(401) },
]

const connections: readonly Failure[] = [
  { ...refused('connection', 400, 'unauthorized_client'), isFull: true },
  refused('connection', 403, 'access_denied'),
  refused('connection', 400, 'invalid_request'),
  refused('connection', 400, 'invalid_grant'),
  refused('connection', 400, 'unsupported_grant_type'),
  refused('connection', 401, 'unauthorized_client'),
  refused('connection', 400, 'a_code_of_its_own'),
  { name: '403 without a body', evidence: 'connection', farEnd: status(403) },
  { name: '403 with HTML', evidence: 'connection', farEnd: status(403, { body: html }) },
]

const requests: readonly Failure[] = [
  { ...refused('request', 400, 'invalid_scope'), isFull: true },
  refused('request', 400, 'invalid_target'),
]

export const failures: readonly Failure[] = [
  ...ways,
  ...hangUps,
  ...endpoints,
  ...limits,
  ...clients,
  ...connections,
  ...requests,
]

/** The failure with that name. */
export function failureCalled(name: string): Failure {
  const found = failures.find((failure) => failure.name === name)
  if (!found) throw new Error(`There is no failure ${name}.`)
  return found
}
