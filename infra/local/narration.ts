import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { logChannel } from '../../lib/adapters/log/powertools.ts'
import { eventChannel } from '../../lib/adapters/process/published-bus.ts'
import type { TokenwellEvent } from '../../lib/events/event-bus.ts'
import { describeLogEvent, type LogEvent, logEvents } from '../../lib/log/log-event.ts'
import type { Print } from './terminal.ts'

/** The members that this file reads of the request that undici publishes. */
interface SentRequest {
  readonly origin: string
  readonly path: string
  readonly method: string
  /** Names and values alternate. */
  readonly headers: readonly (string | readonly string[])[]
  readonly body?: unknown
}

/** Longer answers are not printed at the terminal. */
const longestShown = 400
// Escape sequences, and bytes that are not text.
const unprintable = /[^\P{C}\s]|\ufffd/u

/**
 * Prints each log event, request and answer while one token is obtained or one call is made. It listens to diagnostics channels, so
 * the functions run as they do on Lambda.
 * @returns a function that stops the narration
 */
export function narrate(print: Print): () => void {
  const bodies = new Map<object, Buffer[]>()
  const listeners: readonly (readonly [string, (message: never) => void])[] = [
    [logChannel, (event: LogEvent) => print(`  ${describeLogEvent(event)}`)],
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

/** Prints failed requests, events, and what happens without a request of a caller. */
export function narrateWhileServing(print: Print): void {
  subscribe(logChannel, (message) => {
    const event = message as LogEvent
    if (event.event === 'request_failed') {
      const { requestId, status, code, connection = 'no connection', reason } = event
      print(`${requestId}: ${connection}: ${status} ${code}: ${reason}`)
    } else if (logEvents[event.event].isShownWhileServing) print(describeLogEvent(event).trim())
  })
  subscribe(eventChannel, (message) => {
    const { type, ...detail } = message as TokenwellEvent
    print(`${type} ${JSON.stringify(detail)}`)
  })
}

/** The parameters that are JWTs of Tokenwell: they are shown decoded, without the signature. */
const signedByTokenwell: readonly string[] = ['client_assertion', 'assertion', 'subject_token', 'actor_token']
const secretNames: readonly string[] = ['password', 'client_secret']

function narrateRequest(request: SentRequest, print: Print): void {
  const { origin, path, method, body } = request
  if (bearerTokensOf(request).length > 0) {
    print(`  ${method} ${origin}${path.split('?')[0]} with the token`)
    return
  }
  print(`  ${method} ${origin}${path}`)
  const form = new URLSearchParams(Buffer.isBuffer(body) ? body.toString() : '')
  for (const [name, value] of form) {
    if (signedByTokenwell.includes(name) && value.startsWith('eyJ')) narrateAssertion(name, value, print)
    else print(`     ${name}=${[...signedByTokenwell, ...secretNames].includes(name) ? '[secret]' : value}`)
  }
}

/** The bearer tokens of a request. A request with one is an API call, and the rest of it is not shown. */
function bearerTokensOf({ headers }: SentRequest): string[] {
  return headers.flat().flatMap((each) => /^Bearer (.+)$/.exec(each)?.[1] ?? [])
}

function narrateAssertion(name: string, assertion: string, print: Print): void {
  print(`     ${name}, decoded:`)
  print(`       header ${JSON.stringify(decodeProtectedHeader(assertion))}`)
  print(`       claims ${JSON.stringify(decodeJwt(assertion))}`)
}

/** @param sent tokens that an API may repeat in its answer. They are masked. */
function describeBody(body: Buffer, sent: readonly string[]): string {
  const withoutSent = sent.reduce((text, token) => text.replaceAll(token, '[token]'), body.toString())
  const text = maskTokens(withoutSent).trim()
  return text.length > longestShown || unprintable.test(text) ? `(${body.length} bytes)` : text.replace(/\s+/g, ' ')
}

/** The answer without its tokens, so that a person who sees the screen cannot call the API. */
export function maskTokens(body: string): string {
  return body.replace(/"(\w*token)"\s*:\s*"([^"]{8,})"/g, (_whole, name, token: string) => {
    return `"${name}":"(${token.length} characters)"`
  })
}
