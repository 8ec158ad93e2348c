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
 * @param tokenServers the addresses of token servers that are not OAuth 2.0 servers. Any part of their requests and answers may be a secret,
 *   so that no body is printed
 * @returns a function that stops the narration
 */
export function narrate(print: Print, tokenServers: readonly string[] = []): () => void {
  const bodies = new Map<object, Buffer[]>()
  const listeners: readonly (readonly [string, (message: never) => void])[] = [
    [logChannel, (event: LogEvent) => print(`  ${describeLogEvent(event)}`)],
    ['undici:request:create', ({ request }: { request: SentRequest }) => narrateRequest(request, print, tokenServers)],
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
        if (body.length === 0) return
        print(
          `     ${isToTokenServer(request, tokenServers) ? sizeOf(body) : describeBody(body, sentTokensOf(request))}`,
        )
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

function narrateRequest(request: SentRequest, print: Print, tokenServers: readonly string[]): void {
  const { origin, path, method, body } = request
  const address = `${method} ${origin}${path.split('?')[0]}`
  if (isToTokenServer(request, tokenServers)) {
    print(`  ${address} with credentials that are not shown`)
    return
  }
  const form = new URLSearchParams(Buffer.isBuffer(body) ? body.toString() : '')
  if (!form.has('grant_type') && !new URLSearchParams(path.split('?')[1]).has('grant_type')) {
    print(sentTokensOf(request).length > 0 ? `  ${address} with the token` : `  ${address}`)
    return
  }
  print(`  ${method} ${origin}${path}`)
  for (const [name, value] of form) {
    if (signedByTokenwell.includes(name) && value.startsWith('eyJ')) narrateAssertion(name, value, print)
    else print(`     ${name}=${[...signedByTokenwell, ...secretNames].includes(name) ? '[secret]' : value}`)
  }
}

function isToTokenServer({ origin, path }: SentRequest, tokenServers: readonly string[]): boolean {
  return tokenServers.includes(`${origin}${path}`)
}

const publicHeaders: readonly string[] = ['accept', 'accept-encoding', 'content-type', 'host', 'user-agent']
const leastTokenLength = 8

/** What an API may repeat: the values of all headers that may carry a token or a password. */
function sentTokensOf({ headers }: SentRequest): string[] {
  const pairs = headers.flatMap((name, index) =>
    index % 2 === 0 ? [[String(name), headers[index + 1] ?? ''] as const] : [],
  )
  return pairs
    .filter(([name]) => !publicHeaders.includes(name.toLowerCase()))
    .flatMap(([, value]) => [value].flat())
    .map((value) => value.replace(/^(Bearer|Basic) /, ''))
    .filter((value) => value.length >= leastTokenLength)
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
  return text.length > longestShown || unprintable.test(text) ? sizeOf(body) : text.replace(/\s+/g, ' ')
}

function sizeOf(body: Buffer): string {
  return `(${body.length} bytes)`
}

/** The answer without its tokens, so that a person who sees the screen cannot call the API. */
export function maskTokens(body: string): string {
  return body.replace(/"(\w*token)"\s*:\s*"([^"]{8,})"/g, (_whole, name, token: string) => {
    return `"${name}":"(${token.length} characters)"`
  })
}
