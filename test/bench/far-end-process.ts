import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { type FarEndCounts, type FarEndSettings, type IssuedToken, startOf } from './far-end.ts'

/*
 * A token endpoint in its own process. It issues a token for every request and verifies nothing, so that the bench
 * measures the client. It counts requests, and assertions that arrive twice.
 */

let settings: FarEndSettings = { latencyMilliseconds: 0, expiresIn: 3_600 }
let counts: FarEndCounts = { requests: 0, repeatedAssertions: 0 }
const assertions = new Set<string>()

let issued: IssuedToken[] = []

function start({ certificate, privateKey }: Certificate): void {
  const server = createServer({ cert: certificate, key: privateKey }, (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'https://localhost')
    void text(request).then((form) => answer(form, pathname, response))
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
}

async function answer(form: string, path: string, response: ServerResponse): Promise<void> {
  const assertion = new URLSearchParams(form).get('client_assertion')
  const isRepeated = assertion !== null && assertions.has(assertion)
  if (assertion !== null) assertions.add(assertion)
  counts = { requests: counts.requests + 1, repeatedAssertions: counts.repeatedAssertions + (isRepeated ? 1 : 0) }
  const { latencyMilliseconds, expiresIn } = settings
  if (latencyMilliseconds > 0) await pause(latencyMilliseconds)
  // As long as a signed token.
  const token = randomBytes(675).toString('base64url')
  issued.push({ path, start: startOf(token), expiresAt: Date.now() + expiresIn * 1_000 })
  const body = JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: expiresIn })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

process.on('message', (message: Message) => {
  if ('start' in message) start(message.start)
  if ('settings' in message) {
    settings = message.settings
    counts = { requests: 0, repeatedAssertions: 0 }
    assertions.clear()
    issued = []
    process.send?.('set')
  }
  if ('tell' in message) process.send?.(message.tell === 'counts' ? counts : issued)
})

interface Certificate {
  readonly certificate: string
  readonly privateKey: string
}

type Message =
  | { readonly start: Certificate }
  | { readonly settings: FarEndSettings }
  | { readonly tell: 'counts' | 'issued' }
