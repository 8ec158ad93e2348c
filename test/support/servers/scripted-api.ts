import { mkdir, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { dirname } from 'node:path'
import type { TestContext } from 'node:test'
import type { PeerCertificate, SecureVersion, TLSSocket } from 'node:tls'
import { createServerCertificate, type ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { listen } from '../../../infra/local/listen.ts'
import type { Workspace } from '../../../infra/local/workspace.ts'
import { secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import { secretPrefix } from '../../../lib/configuration/deployment.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../elements/elements.ts'

/** One call that the API received. */
export interface ReceivedCall {
  readonly method: string
  /** Path and query, as they came over the wire. */
  readonly url: string
  /** By their names in lower case. Several values of one name are joined, as node:http joins them. */
  readonly headers: IncomingMessage['headers']
  /** Names and values in turn, as they came over the wire. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** What the client presented, if the server asked for it. */
  readonly peerCertificate?: PeerCertificate
  readonly socket: TLSSocket
}

export interface ScriptedAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Serialized as JSON, unless it is a string or bytes. */
  readonly body?: unknown
}

/** What the API does with a call: it returns an answer, or uses the response itself. */
export type Script = (request: ReceivedCall, response: ServerResponse, index: number) => ScriptedAnswer | undefined

export interface ScriptedApiOptions {
  /** By default a certificate for `localhost` from a new CA. */
  readonly certificate?: ServerCertificate
  /** Asks for a client certificate. Without `rejectUnauthorized` it accepts any certificate, or no certificate. */
  readonly requestCert?: boolean
  readonly rejectUnauthorized?: boolean
  /** The CAs of client certificates. */
  readonly ca?: string
  readonly minVersion?: SecureVersion
  readonly maxVersion?: SecureVersion
  /** For OpenSSL, which needs security level 0 to speak anything older than TLS 1.2. */
  readonly ciphers?: string
  /** Limit for a request, in bytes. 16 KiB if left out. */
  readonly maxHeaderSize?: number
}

/** A protected API. */
export interface ScriptedApi {
  /** Without a slash at the end. */
  readonly origin: string
  readonly port: number
  readonly certificate: ServerCertificate
  readonly requests: readonly ReceivedCall[]
  readonly server: Server
  /** How many connections were made, including those without a request. */
  connections(): number
}

/** A script that may need time. */
type SlowScript = (...call: Parameters<Script>) => ReturnType<Script> | Promise<ReturnType<Script>>

/**
 * A real HTTPS server as protected API that follows a script. Without a script it answers 200 and `{}`. It ends with
 * the test.
 */
export async function startScriptedApi(
  t: TestContext,
  script: SlowScript = () => ({}),
  { certificate: given, ...tls }: ScriptedApiOptions = {},
): Promise<ScriptedApi> {
  const certificate = given ?? (await createServerCertificate(['localhost']))
  const requests: ReceivedCall[] = []
  let connections = 0
  const server = createServer({ cert: certificate.certificate, key: certificate.privateKey, ...tls })
  server.on('connection', (socket) => {
    connections++
    socket.on('error', () => {})
  })
  server.on('tlsClientError', () => {})
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const received = await receive(request).catch(() => undefined)
    if (!received) return
    requests.push(received)
    const scripted = await script(received, response, requests.length - 1)
    if (scripted) answer(response, scripted)
  }
  server.on('request', (request, response) => void serve(request, response))
  const port = await listen(server, 0, 'localhost')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    origin: `https://localhost:${port}`,
    port,
    certificate,
    requests,
    server,
    connections: () => connections,
  }
}

/** The whole call. Throws if the call breaks off. */
async function receive(request: IncomingMessage): Promise<ReceivedCall> {
  const { method = '', url = '', headers, rawHeaders } = request
  const socket = request.socket as TLSSocket
  const peerCertificate = socket.getPeerCertificate() as Partial<PeerCertificate> | null
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return {
    method,
    url,
    headers,
    rawHeaders,
    body: Buffer.concat(chunks),
    ...(peerCertificate?.raw && { peerCertificate: peerCertificate as PeerCertificate }),
    socket,
  }
}

function answer(response: ServerResponse, { status = 200, headers = {}, body = {} }: ScriptedAnswer): void {
  const raw = typeof body === 'string' || Buffer.isBuffer(body)
  const type = raw ? {} : { 'content-type': 'application/json' }
  // As a list, so that no value of a repeated name is lost.
  const lines = Object.entries({ ...type, ...headers }).flatMap(([name, value]) =>
    [value].flat().map((each) => [name, each] as const),
  )
  response.writeHead(status, lines.flat())
  response.end(raw ? body : JSON.stringify(body))
}

/** The example elements, plus the API of `conn` with a trust store for its CA. */
export function elementsWithApi(issuer: string, origin: string, changes: ElementChanges = {}): RawElements {
  const endpoint = { host: origin, sslCertsRef: 'theApiSsl', ...changes.endpoint }
  const elements = exampleElements(issuer, { ...changes, endpoint })
  return {
    ...elements,
    ssl: { ...elements['ssl'], theApiSsl: { trustStoreRef: 'theApiTrust' } },
    keyStore: { ...elements['keyStore'], theApiTrust: { location: 'tokenwell/local/api-ca' } },
  }
}

/** Adds the CA to the secrets of a workspace with these elements. */
export async function trustApi({ secretsFolder, deployment }: Workspace, caCertificate: string): Promise<void> {
  const path = secretPath(secretsFolder, deployment.stage, `${secretPrefix(deployment)}api-ca`)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, caCertificate)
}
