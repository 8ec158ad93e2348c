import type { TestContext } from 'node:test'
import type { Workspace } from '../../../infra/local/workspace.ts'
import type { ElementChanges, RawElements } from '../elements/elements.ts'
import { bearerOf } from '../functions/call-api-with-scripted-servers.ts'
import { plant } from '../output/canary.ts'
import { elementsWithApi, type ScriptedApi, startScriptedApi, trustApi } from './scripted-api.ts'

/** An API that the connection `conn` calls. */
export interface EchoApi extends ScriptedApi {
  /** The elements of `exampleElements`, plus those that say where the API is. */
  elements(issuer: string, changes?: ElementChanges): RawElements
  /** Adds the API's CA to the secrets of a workspace with these elements. */
  trustIn(workspace: Workspace): Promise<void>
  /** The tokens of the calls that it received, in order. */
  tokens(): string[]
  /** From now on it answers 401 to calls with this token. */
  refuse(token: string | undefined): void
}

const invalidToken = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }

/** It answers each call with status 200, the method, the path with the query, and the body. */
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
