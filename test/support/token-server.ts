import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { TestContext } from 'node:test'
import { decodeJwt } from 'jose'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'
import { listen } from '../../infra/local/listen.ts'
import { plant } from './canary.ts'
import type { RawElements } from './elements.ts'
import { type Caller, createWorkspace, startCaller } from './the-set.ts'

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
  readonly headers?: Record<string, string>
  /** Serialised as JSON unless it is a text or bytes. */
  readonly body?: unknown
}

/** What the server does with a request: an answer, or whatever it likes with the response. */
export type Script = (request: ReceivedRequest, response: ServerResponse, index: number) => ScriptedAnswer | undefined

export interface TokenServer extends Caller {
  readonly issuer: string
  readonly requests: readonly ReceivedRequest[]
}

/** A real TLS server as token endpoint that answers as told, and the issue-token function in front of it. */
export async function startTokenServer(
  t: TestContext,
  elements: (issuer: string) => RawElements,
  script: Script,
): Promise<TokenServer> {
  const certificate = await createServerCertificate(['localhost'])
  const requests: ReceivedRequest[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    const assertion = form.get('client_assertion')
    plant(assertion)
    plant(form.get('password'))
    const jwtId = assertion === null ? undefined : decodeJwt(assertion).jti
    const received: ReceivedRequest = {
      url: request.url ?? '',
      headers: request.headers,
      form,
      ...(jwtId !== undefined && { jwtId }),
    }
    requests.push(received)
    const scripted = script(received, response, requests.length - 1)
    if (!scripted) return
    const { status = 200, headers = {}, body = '' } = scripted
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))
  }
  const server = createServer({ cert: certificate.certificate, key: certificate.privateKey }, (request, response) => {
    void answer(request, response)
  })
  const port = await listen(server, 0, 'localhost')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const issuer = `https://localhost:${port}`
  const workspace = await createWorkspace(t, elements(issuer), certificate)
  return { ...(await startCaller(workspace)), issuer, requests }
}

let issued = 0

/** A fine answer with a token that no other has. */
export function someToken(members: Record<string, unknown> = {}): ScriptedAnswer {
  return { body: { access_token: `some-token-${issued++}`, token_type: 'Bearer', expires_in: 300, ...members } }
}
