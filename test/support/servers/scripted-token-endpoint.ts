import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import { createServer, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { decodeJwt } from 'jose'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { listen } from '../../../infra/local/listen.ts'

/** One request that the token endpoint received. */
export interface ReceivedRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** The whole body, as it came. */
  readonly content: string
  readonly form: URLSearchParams
  /** The `jti` of the assertion of the client, or else of the grant, or else of the JWT that is the bearer token of the request. */
  readonly jwtId?: string
}

export interface ScriptedAnswer {
  readonly status?: number
  readonly headers?: Record<string, string | string[]>
  /** Serialized as JSON, unless it is a string or bytes. */
  readonly body?: unknown
}

/** What the server does with a request: it returns an answer, or uses the response itself. */
export type Script = (request: ReceivedRequest, response: ServerResponse, index: number) => ScriptedAnswer | undefined

export interface ScriptedTokenEndpointOptions {
  readonly certificate: ServerCertificate
  /** Replaces options of the server's own certificate. */
  readonly tls?: ServerOptions
  /** Called before TLS. True means that the server must ignore this connection. */
  readonly takesOver?: (socket: Socket) => boolean
  /** Called after the handshake, before any request. */
  readonly onSecured?: (socket: TLSSocket) => void
}

export interface ScriptedTokenEndpoint {
  readonly issuer: string
  readonly requests: readonly ReceivedRequest[]
  /** How often a client tried to reach it. A connection without a request counts too. */
  attempts(): number
  close(): void
}

/** A real TLS server as token endpoint that follows a script. */
export async function startScriptedTokenEndpoint(
  script: Script,
  { certificate, tls, takesOver = () => false, onSecured }: ScriptedTokenEndpointOptions,
): Promise<ScriptedTokenEndpoint> {
  const requests: ReceivedRequest[] = []
  const sockets = new Set<Socket>()
  const asking = new Set<Socket>()
  let connections = 0

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    asking.add(request.socket)
    const received = await receive(request).catch(() => undefined)
    if (!received) return
    requests.push(received)
    const scripted = script(received, response, requests.length - 1)
    if (scripted) answer(response, scripted)
  }
  const own = { cert: certificate.certificate, key: certificate.privateKey }
  const inner = createTlsServer({ ...own, ...tls }, (request, response) => void serve(request, response))
  inner.on('tlsClientError', () => {})
  if (onSecured) inner.on('secureConnection', onSecured)
  const outer = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    if (!takesOver(socket)) inner.emit('connection', socket)
  })
  const port = await listen(outer, 0, 'localhost')
  return {
    issuer: `https://localhost:${port}`,
    requests,
    attempts: () => requests.length + connections - asking.size,
    close() {
      for (const socket of sockets) socket.destroy()
      outer.close()
    },
  }
}

/** The whole request. Throws if the request breaks off. */
async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const content = Buffer.concat(chunks).toString()
  const form = new URLSearchParams(content)
  const { method = '', url = '', headers } = request
  const bearer = headers.authorization?.match(/^Bearer (.*)/)?.[1]
  const assertion = form.get('client_assertion') ?? form.get('assertion') ?? form.get('subject_token') ?? bearer
  // A subject token of a caller may be any text.
  const jwtId = assertion?.startsWith('eyJ') ? decodeJwt(assertion).jti : undefined
  return { method, url, headers, content, form, ...(jwtId !== undefined && { jwtId }) }
}

/** Node.js renews its own Date by a timer, which is late in a busy process. */
function answer(response: ServerResponse, { status = 200, headers = {}, body = '' }: ScriptedAnswer): void {
  response.writeHead(status, { 'content-type': 'application/json', date: new Date().toUTCString(), ...headers })
  response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))
}

let issued = 0

/** A valid answer with a token that no other answer has. */
export function tokenAnswer(members: Record<string, unknown> = {}): ScriptedAnswer {
  return { body: { access_token: `some-token-${issued++}`, token_type: 'Bearer', expires_in: 300, ...members } }
}
