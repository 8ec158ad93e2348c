import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import { createServer, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { decodeJwt } from 'jose'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { listen } from '../../../infra/local/listen.ts'

/** One request that the token endpoint has had. */
export interface ReceivedRequest {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly form: URLSearchParams
  /** The `jti` of the client assertion. */
  readonly jwtId?: string
}

export interface ScriptedAnswer {
  readonly status?: number
  readonly headers?: Record<string, string | string[]>
  /** Serialised as JSON unless it is a text or bytes. */
  readonly body?: unknown
}

/** What the server does with a request: an answer, or whatever it likes with the response. */
export type Script = (request: ReceivedRequest, response: ServerResponse, index: number) => ScriptedAnswer | undefined

export interface ScriptedTokenEndpointOptions {
  readonly certificate: ServerCertificate
  /** In place of the certificate's own. */
  readonly tls?: ServerOptions
  /** Before TLS: true where the connection is nothing for the server. */
  readonly takesOver?: (socket: Socket) => boolean
  /** After the handshake and before any request. */
  readonly onSecured?: (socket: TLSSocket) => void
}

export interface ScriptedTokenEndpoint {
  readonly issuer: string
  readonly requests: readonly ReceivedRequest[]
  /** How often it was asked: a connection over which no request came is one, too. */
  attempts(): number
  close(): void
}

/** A real TLS server as token endpoint that answers as told. */
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

/** The whole of a request; one that breaks off is an error. */
async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const form = new URLSearchParams(Buffer.concat(chunks).toString())
  const assertion = form.get('client_assertion')
  const jwtId = assertion === null ? undefined : decodeJwt(assertion).jti
  return { url: request.url ?? '', headers: request.headers, form, ...(jwtId !== undefined && { jwtId }) }
}

function answer(response: ServerResponse, { status = 200, headers = {}, body = '' }: ScriptedAnswer): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))
}

let issued = 0

/** A fine answer with a token that no other has. */
export function tokenAnswer(members: Record<string, unknown> = {}): ScriptedAnswer {
  return { body: { access_token: `some-token-${issued++}`, token_type: 'Bearer', expires_in: 300, ...members } }
}
