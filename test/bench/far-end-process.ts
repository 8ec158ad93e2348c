import { randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import type { FarEndCounts, FarEndSettings } from './far-end.ts'

/*
 * A token endpoint in a process of its own. It issues tokens to everybody and looks at nothing, so that what is measured is
 * the client; it counts requests, and assertions that come twice.
 */

let settings: FarEndSettings = { latencyMilliseconds: 0, expiresIn: 3_600 }
let counts: FarEndCounts = { requests: 0, repeatedAssertions: 0 }
const assertions = new Set<string>()

async function start(certificate: { readonly certificate: string; readonly privateKey: string }): Promise<void> {
  const server = createServer(
    { cert: certificate.certificate, key: certificate.privateKey },
    async (request, response) => {
      const assertion = new URLSearchParams(await text(request)).get('client_assertion')
      const isRepeated = assertion !== null && assertions.has(assertion)
      if (assertion !== null) assertions.add(assertion)
      counts = { requests: counts.requests + 1, repeatedAssertions: counts.repeatedAssertions + (isRepeated ? 1 : 0) }
      if (settings.latencyMilliseconds > 0) await pause(settings.latencyMilliseconds)
      // As long as a signed one is.
      const token = randomBytes(675).toString('base64url')
      const body = JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: settings.expiresIn })
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      response.end(body)
    },
  )
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
}

process.on('message', (message: Message) => {
  if ('start' in message) void start(message.start)
  if ('settings' in message) {
    settings = message.settings
    counts = { requests: 0, repeatedAssertions: 0 }
    assertions.clear()
    process.send?.('set')
  }
  if ('count' in message) process.send?.(counts)
})

type Message =
  | { readonly start: { readonly certificate: string; readonly privateKey: string } }
  | { readonly settings: FarEndSettings }
  | { readonly count: true }
