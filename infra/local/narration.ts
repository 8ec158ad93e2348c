import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { logChannel } from '../../lib/adapters/log/powertools.ts'
import { eventChannel } from '../../lib/adapters/process/published-bus.ts'
import type { TokenwellEvent } from '../../lib/events/event-bus.ts'
import type { LogEvent } from '../../lib/log/log-event.ts'

type Print = (line: string) => void

/** What undici publishes of a request that it sends, as far as it is used here. */
interface SentRequest {
  readonly origin: string
  readonly path: string
  readonly method: string
  /** Names and values by turns. */
  readonly headers: readonly (string | readonly string[])[]
  readonly body?: unknown
}

/** A longer answer is not for a terminal. */
const longestShown = 400
// Escape sequences, and what was no text.
const unprintable = /[^\P{C}\s]|\ufffd/u

/**
 * Tells step by step what happens while one token is obtained or one call made, as seen on the log and on the wire. The functions know
 * nothing of it.
 * @returns to stop telling
 */
export function narrate(print: Print): () => void {
  const bodies = new Map<object, Buffer[]>()
  const listeners: readonly (readonly [string, (message: never) => void])[] = [
    [logChannel, (event: LogEvent) => print(describeEvent(event))],
    ['undici:request:create', ({ request }: { request: SentRequest }) => narrateRequest(request, print)],
    [
      'undici:request:headers',
      ({ request, response }: { request: object; response: { statusCode: number } }) => {
        bodies.set(request, [])
        print(`     answered ${response.statusCode}`)
      },
    ],
    [
      'undici:request:bodyChunkReceived',
      ({ request, chunk }: { request: object; chunk: Buffer }) => bodies.get(request)?.push(Buffer.from(chunk)),
    ],
    [
      'undici:request:trailers',
      ({ request }: { request: SentRequest }) => {
        const body = Buffer.concat(bodies.get(request) ?? [])
        if (body.length > 0) print(`     ${describeBody(body, bearerTokensOf(request))}`)
      },
    ],
  ]
  for (const [name, listener] of listeners) subscribe(name, listener as (message: unknown) => void)
  return () => {
    for (const [name, listener] of listeners) unsubscribe(name, listener as (message: unknown) => void)
  }
}

/** Tells of failures, and of what happens though nobody asks for a token. */
export function narrateWhileServing(print: Print): void {
  subscribe(logChannel, (message) => {
    const event = message as LogEvent
    if (event.event === 'request_failed') print(`${event.requestId}: ${event.status} ${event.code}: ${event.reason}`)
    else if (unasked.has(event.event)) print(describeEvent(event).trim())
  })
  subscribe(eventChannel, (message) => {
    const { type, ...said } = message as TokenwellEvent
    print(`${type} ${JSON.stringify(said)}`)
  })
}

const unasked: ReadonlySet<LogEvent['event']> = new Set([
  'warm_run_ended',
  'renewal_failed',
  'reload_failed',
  'event_answered',
  'event_failed',
  'event_not_raised',
  'rotation_step_done',
  'rotation_failed',
  'keys_published',
  'publication_failed',
  'api_called',
  'api_call_failed',
  'api_call_repeated',
])

function describeEvent(event: LogEvent): string {
  switch (event.event) {
    case 'connection_resolved':
      return `  ${event.connection}: elements read and references followed (${event.milliseconds} ms)`
    case 'client_authenticated':
      return `  ${event.method} made (${event.milliseconds} ms)`
    case 'token_obtained':
      return `  ${event.authorizationServer} issued a token (${event.milliseconds} ms)`
    case 'token_request_failed':
      return `  ${event.authorizationServer} brought no token: ${event.code} (${event.milliseconds} ms)`
    case 'token_handed_out':
      return `  token handed out from: ${event.source}, ${event.secondsLeft} s left`
    case 'token_request_repeated':
      return `  attempt ${event.attempt} failed; the next one in ${Math.round(event.milliseconds)} ms`
    case 'cool_down_begun':
      return `  the ${event.of} cools down (${event.code})`
    case 'clock_offset_learned':
      return `  the clock of ${event.authorizationServer} is ${event.milliseconds} ms ahead of ours: once more by it`
    case 'newer_secret_found':
      return `  ${event.connection} was refused, and its secret has changed: once more with the new one`
    case 'previous_key_tried':
      return `  ${event.connection} was refused: once more by the key that was current before`
    case 'reload_failed':
      return `  ${event.connection} can't be read again: ${event.reason}`
    case 'cache_passed_over':
      return `  the shared cache is passed over: ${event.reason} (${event.milliseconds} ms)`
    case 'cached_token_unreadable':
      return `  a token in the shared cache can't be read: ${event.reason}`
    case 'renewal_failed':
      return `  not renewed: ${event.reason}`
    case 'event_not_raised':
      return `  ${event.type} was not raised: ${event.reason}`
    case 'warm_run_ended':
      return `  warm run: ${event.due} due, ${event.renewed} renewed, ${event.failed} failed, ${event.left} left (${event.milliseconds} ms)`
    case 'event_answered':
      return `  ${event.type} answered (${event.milliseconds} ms)`
    case 'event_failed':
      return `  ${event.type} failed, attempt ${event.attempt}: ${event.reason}`
    case 'dead_letter_not_taken':
      return `  not taken by the dead letters: ${event.reason}`
    case 'rotation_step_done':
      return `  ${event.step} done for jwtBuilder/${event.jwtBuilder} (${event.milliseconds} ms)`
    case 'rotation_failed':
      return `  ${event.step ?? 'a step'} of a rotation failed: ${event.reason}`
    case 'keys_published':
      return `  jwtBuilder/${event.jwtBuilder}: ${event.keys} public keys are published`
    case 'publication_failed':
      return `  jwtBuilder/${event.jwtBuilder}: what is published stays as it is: ${event.reason}`
    case 'api_called':
      return `  ${event.connection}: the API answered ${event.status} (${event.milliseconds} ms)`
    case 'api_call_failed':
      return `  ${event.connection}: the API gave no answer: ${event.code} (${event.milliseconds} ms)`
    case 'api_call_repeated':
      return `  ${event.connection}: once more (${event.reason})`
    case 'request_failed':
      return `  failed with ${event.status} ${event.code}: ${event.reason}`
  }
}

function narrateRequest(request: SentRequest, print: Print): void {
  const { origin, path, method, body } = request
  if (bearerTokensOf(request).length > 0) {
    print(`  ${method} ${origin}${path.split('?')[0]} with the token`)
    return
  }
  print(`  ${method} ${origin}${path}`)
  const form = new URLSearchParams(Buffer.isBuffer(body) ? body.toString() : '')
  for (const [name, value] of form) {
    if (name === 'client_assertion') narrateAssertion(value, print)
    else print(`     ${name}=${name === 'password' ? '[secret]' : value}`)
  }
}

/** Who sends one calls an API: what else it sends is its own business. */
function bearerTokensOf({ headers }: SentRequest): string[] {
  return headers.flat().flatMap((each) => /^Bearer (.+)$/.exec(each)?.[1] ?? [])
}

function narrateAssertion(assertion: string, print: Print): void {
  print('     client_assertion, decoded:')
  print(`       header ${JSON.stringify(decodeProtectedHeader(assertion))}`)
  print(`       claims ${JSON.stringify(decodeJwt(assertion))}`)
}

/** @param sent what an API may say again, and the terminal may not */
function describeBody(body: Buffer, sent: readonly string[]): string {
  const withoutSent = sent.reduce((text, token) => text.replaceAll(token, '[token]'), body.toString())
  const text = maskTokens(withoutSent).trim()
  return text.length > longestShown || unprintable.test(text) ? `(${body.length} bytes)` : text.replace(/\s+/g, ' ')
}

/** The answer without what would let a reader of the screen call the API. */
export function maskTokens(body: string): string {
  return body.replace(/"(\w*token)"\s*:\s*"([^"]{8,})"/g, (_whole, name, token: string) => {
    return `"${name}":"(${token.length} characters)"`
  })
}
