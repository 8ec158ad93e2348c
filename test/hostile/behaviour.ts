import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { ElementChanges, RawElements } from '../support/elements/elements.ts'
import type {
  ReceivedRequest,
  ScriptedAnswer,
  ScriptedTokenEndpointOptions,
} from '../support/servers/scripted-token-endpoint.ts'
import type { Authority } from './authority.ts'

/** What the server does with a request. `elsewhere` is the origin of another server, which must get no request. */
export type HostileScript = (
  request: ReceivedRequest,
  response: ServerResponse,
  index: number,
  elsewhere: string,
) => ScriptedAnswer | undefined

/** The expected result. */
export interface Expectation {
  /** What the caller gets: a status with the error code, or the token's remaining lifetime. */
  readonly outcome: string
  /** How often the server was contacted. A connection without a request counts too. */
  readonly requests: number
  /** What a caller gets right afterwards, and the number of requests in all. */
  readonly again: string
  readonly requestsInAll: number
  /** How long the first caller waits at most, on a machine that also does other work. */
  readonly atMostSeconds: number
}

/** What a token endpoint may do to Tokenwell, and the expected result. */
export interface Behaviour extends Expectation {
  readonly name: string
  readonly script: HostileScript
  /** How the server differs from a normal HTTPS server. */
  readonly endpoint?: (authority: Authority) => Promise<Partial<ScriptedTokenEndpointOptions>>
  readonly changes?: ElementChanges
  /** The elements of `conn`, in place of the example with `changes`. */
  readonly elements?: (issuer: string) => RawElements
  /** Each request has the same credentials. */
  readonly sendsPassword?: boolean
  readonly form?: string
  /** The second caller reports the first caller's token as rejected. */
  readonly rejects?: boolean
  readonly retryAfter?: number
  /** A client without a time limit waits forever. */
  readonly hangs?: boolean
}

export interface Family {
  readonly title: string
  readonly behaviours: readonly Behaviour[]
}

const issued: string[] = []

/** A token that no other answer has, and that only the caller may see. */
export function hostileToken(): string {
  const token = `hostile-token-${randomUUID()}`
  issued.push(token)
  return token
}

/** All hostile tokens so far. */
export function hostileTokens(): readonly string[] {
  return issued
}

/** A valid answer, except for these members. */
export function fine(members: Record<string, unknown> = {}): ScriptedAnswer {
  return { body: { access_token: hostileToken(), token_type: 'Bearer', expires_in: 300, ...members } }
}

/** The same as text, so that a test can replace parts of it. */
export function fineText(members: Record<string, unknown> = {}): string {
  return JSON.stringify(fine(members).body)
}

export const always =
  (answer: (elsewhere: string) => ScriptedAnswer): HostileScript =>
  (_request, _response, _index, elsewhere) =>
    answer(elsewhere)

/** These answers in turn, then valid tokens. */
export const first =
  (...answers: (() => ScriptedAnswer)[]): HostileScript =>
  (_request, _response, index) =>
    answers[index]?.() ?? fine()

/** Sends these bytes in place of an answer, then ends the connection. */
export const raw =
  (bytes: () => string | Buffer): HostileScript =>
  (_request, response) =>
    void response.socket?.end(bytes())

const atMostSeconds = 5
/** This includes the pauses between attempts. */
const atMostSecondsRepeated = 10

const ok = (expiresIn: number) => `200, ${expiresIn} s`
const outage = '503 temporarily_unavailable'

export const token = (expiresIn = 300): Expectation => ({
  outcome: ok(expiresIn),
  requests: 1,
  again: 'memory',
  requestsInAll: 1,
  atMostSeconds,
})
/** A refusal: no repetition, and remembered. */
export const remembered = (outcome = '502 server_error'): Expectation => ({
  outcome,
  requests: 1,
  again: outcome,
  requestsInAll: 1,
  atMostSeconds,
})
/** An answer that is neither a token nor a refusal: no repetition, and remembered. */
export const unreadable: Expectation = remembered()
/** An outage: repeated twice, then no more requests for a while. */
export const repeated: Expectation = {
  outcome: outage,
  requests: 3,
  again: outage,
  requestsInAll: 3,
  atMostSeconds: atMostSecondsRepeated,
}
export const recovers: Expectation = {
  outcome: ok(300),
  requests: 2,
  again: 'memory',
  requestsInAll: 2,
  atMostSeconds: atMostSecondsRepeated,
}
/** An outage that no repetition would end. */
export const leftAlone: Expectation = remembered(outage)
/** A token that can no longer be used: the server is asked again in a second. */
export const expired: Expectation = remembered(outage)

/** Timeouts of 0.2 s and 0.3 s, so that no test waits for the defaults. */
export const hurried: ElementChanges = { server: { connectionTimeout: '200ms', receiveTimeout: '300ms' } }
/** No repetition, because the server may have issued a token. */
export const timeOut: Expectation = remembered('504 temporarily_unavailable')
