import { once } from 'node:events'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { createServer, get } from 'node:https'
import { text } from 'node:stream/consumers'
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose'
import type { ServerCertificate } from './certificate-authority.ts'
import { checkAccessToken, type ExpectedToken } from './check-access-token.ts'
import { listen } from './listen.ts'
import { forThisMachine } from './this-machine.ts'

/** An API on this machine, over TLS. It requires a token of the local authorization server. */
export interface ProtectedApi {
  readonly origin: string
  close(): Promise<void>
}

export interface ProtectedApiOptions {
  readonly port: number
  /** Whether it may use the next free port, and the advice in the error if it may not. */
  readonly whereTaken?: { readonly mayMove?: boolean; readonly advice?: string }
  readonly certificate: ServerCertificate
  /** The authorization server whose tokens it accepts. */
  readonly issuer: string
  /** The keys that verify tokens. By default the keys that the issuer publishes. */
  readonly keys?: JWTVerifyGetKey
}

interface Answer {
  readonly status: number
  readonly headers?: OutgoingHttpHeaders
  readonly body?: unknown
}

type Orders = Map<string, object>

/** The resource indicator (RFC 8707) that the token request must name. */
export const ordersAudience = 'https://api.server.com/orders'
const maximumOrderBytes = 64 * 1024
const firstOrder = { id: '42', item: 'tea', quantity: 2 }
const notFound: Answer = { status: 404, body: { error: 'there is no such order' } }

/**
 * Orders, each at `/orders/{id}`. To read them, a caller needs the scope `orders:read`; to add one, `orders:write`.
 * @throws {LocalRunError} when the port is taken
 */
export async function startProtectedApi(options: ProtectedApiOptions): Promise<ProtectedApi> {
  const { certificate, issuer } = options
  const keys = options.keys ?? publishedKeys(issuer, certificate.caCertificate)
  const expected: ExpectedToken = { issuer, audience: ordersAudience, keys }
  const orders: Orders = new Map([[firstOrder.id, firstOrder]])

  const answerOrders = forThisMachine((request, response) => {
    void answer(request, orders, expected)
      .catch((): Answer => ({ status: 500 }))
      .then((given) => send(given, response))
  })
  const server = createServer({ cert: certificate.certificate, key: certificate.privateKey }, answerOrders)
  const port = await listen(server, options.port, 'localhost', options.whereTaken)
  return {
    origin: `https://localhost:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function send({ status, headers, body }: Answer, response: ServerResponse): void {
  const json = body === undefined ? '' : `${JSON.stringify(body)}\n`
  const entity = { 'content-length': Buffer.byteLength(json), ...(json && { 'content-type': 'application/json' }) }
  response.writeHead(status, { ...headers, ...entity }).end(json)
}

/** It does not use undici, because the narration prints every request of undici as a request of Tokenwell. */
function publishedKeys(issuer: string, ca: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(`${issuer}/jwks`), {
    async [customFetch](url, { signal }) {
      const [response] = (await once(get(url, { ca, signal }), 'response')) as [IncomingMessage]
      return new Response(await text(response), { status: response.statusCode ?? 0 })
    },
  })
}

async function answer(request: IncomingMessage, orders: Orders, expected: ExpectedToken): Promise<Answer> {
  const { method = '', headers, url = '' } = request
  const isReading = method === 'GET' || method === 'HEAD'
  const scope = isReading ? 'orders:read' : 'orders:write'
  const refusal = await checkAccessToken(headers.authorization, scope, expected)
  if (refusal) return { status: refusal.status, headers: { 'www-authenticate': refusal.challenge } }

  const path = /^\/orders(?:\/([^/]*))?$/.exec(url.split('?')[0] ?? '')
  if (!path) return notFound
  const [, id] = path
  if (id) return isReading ? readOrder(orders, id) : { status: 405, headers: { allow: 'GET, HEAD' } }
  if (isReading) return { status: 200, body: { orders: [...orders.values()] } }
  return method === 'POST' ? addOrder(request, orders) : { status: 405, headers: { allow: 'GET, HEAD, POST' } }
}

function readOrder(orders: Orders, id: string): Answer {
  const order = orders.get(id)
  return order ? { status: 200, body: order } : notFound
}

async function addOrder(request: IncomingMessage, orders: Orders): Promise<Answer> {
  const size = Number(request.headers['content-length'])
  if (!(size <= maximumOrderBytes)) return { status: 413 }
  const given = parseObject(await text(request))
  if (!given) return { status: 400, body: { error: 'an order is a JSON object' } }
  const id = String(Number(firstOrder.id) + orders.size)
  const order = { ...given, id }
  orders.set(id, order)
  return { status: 201, headers: { location: `/orders/${id}` }, body: order }
}

function parseObject(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
