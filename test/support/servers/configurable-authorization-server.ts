import type { ClientMetadata } from 'oidc-provider'
import { Agent, fetch, type Response } from 'undici'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import type { ClientCertificate } from './client-certificate.ts'
import type { JavaProcess } from './java-process.ts'

/** A real authorization server. A test changes its clients and its clock. */
export interface ConfigurableAuthorizationServer extends JavaProcess {
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly certificate: ServerCertificate
  /** A client certificate whose CA the server trusts. */
  readonly clientCertificate: ClientCertificate
  /** Registers a client as RFC 7591 describes it, or replaces the one with that id. */
  register(client: ClientMetadata): Promise<void>
  /** Stops the client from getting tokens, or allows it again. */
  setEnabled(clientId: string, isEnabled: boolean): Promise<void>
  /** What the server tells the client about a token (RFC 7662). The client authenticates with its secret. */
  introspect(token: string, client: ClientMetadata): Promise<Record<string, unknown>>
  /** Revokes a token (RFC 7009). The client authenticates with its secret. */
  revoke(token: string, client: ClientMetadata): Promise<void>
}

/** Sends a test's own requests to such a server over TLS. */
export type TlsClient = ReturnType<typeof createTlsClient>

export function createTlsClient(t: { after(close: () => Promise<void>): void }, { caCertificate }: ServerCertificate) {
  const dispatcher = new Agent({ connect: { ca: caCertificate, timeout: 60_000 } })
  t.after(() => dispatcher.destroy())

  /** @throws if the status does not say success */
  async function send(url: string, request: RequestParts = {}): Promise<Response> {
    const { method = 'POST', headers = {}, json, form } = request
    const response = await fetch(url, {
      dispatcher,
      method,
      headers: { ...headers, ...(json !== undefined && { 'content-type': 'application/json' }) },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(form && { body: new URLSearchParams(form) }),
    })
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
    return response
  }

  return {
    send,
    async readJson(url: string, request: RequestParts): Promise<Record<string, unknown>> {
      return (await (await send(url, request)).json()) as Record<string, unknown>
    },
  }
}

interface RequestParts {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
}

/** The client's own secret, as RFC 6749 section 2.3.1 sends it. Secrets of tests need no encoding. */
export function basicAuthorization({ client_id, client_secret = '' }: ClientMetadata): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}` }
}
