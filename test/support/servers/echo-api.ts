import type { TestContext } from 'node:test'
import type { Workspace } from '../../../infra/local/workspace.ts'
import type { ElementChanges, RawElements } from '../elements/elements.ts'
import { bearerOf } from '../functions/call-api-with-scripted-servers.ts'
import { plant } from '../output/canary.ts'
import { elementsWithApi, type ScriptedApi, startScriptedApi, trustApi } from './scripted-api.ts'

/** An API whose calls the connection `conn` makes. */
export interface EchoApi extends ScriptedApi {
  /** Those of `theElements`, and where the API is. */
  elements(issuer: string, changes?: ElementChanges): RawElements
  /** Puts its CA among the secrets of a workspace of these elements. */
  trustIn(workspace: Workspace): Promise<void>
  /** The tokens that it was called with, in order. */
  tokens(): string[]
  /** From now on it answers a call with this token that it is no longer good. */
  refuse(token: string | undefined): void
}

const invalidToken = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }

/** Answers each call with 200, its method, its path with the query, and its body. */
export async function startEchoApi(t: TestContext): Promise<EchoApi> {
  const refused = new Set<string>()
  const server = await startScriptedApi(t, ({ method, url, headers, body }) => {
    const token = bearerOf(headers)
    plant(token)
    return refused.has(token) ? invalidToken : { body: { method, url, body: body.toString() } }
  })
  return {
    ...server,
    elements: (issuer, changes) => elementsWithApi(issuer, server.origin, changes),
    trustIn: (workspace) => trustApi(workspace, server.certificate.caCertificate),
    tokens: () => server.requests.map(({ headers }) => bearerOf(headers)),
    refuse: (token = '') => refused.add(token),
  }
}
