import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { TestContext } from 'node:test'
import type { Workspace } from '../../infra/local/workspace.ts'
import { secretPath } from '../../lib/adapters/file-secrets.ts'
import { secretPrefix } from '../../lib/configuration/surroundings.ts'
import { type ApiServer, startApiServer } from './api-server.ts'
import { plant } from './canary.ts'
import { type ElementChanges, type RawElements, theElements } from './elements.ts'

/** An API whose calls the connection `conn` makes. */
export interface CalledApi extends ApiServer {
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
export async function startCalledApi(t: TestContext): Promise<CalledApi> {
  const refused = new Set<string>()
  const server = await startApiServer(t, ({ method, url, headers, body }) => {
    const token = bearerOf(headers.authorization)
    plant(token)
    return refused.has(token) ? invalidToken : { body: { method, url, body: body.toString() } }
  })
  return {
    ...server,
    elements(issuer, changes = {}) {
      const endpoint = { host: server.origin, sslCertsRef: 'theApiSsl', ...changes.endpoint }
      const elements = theElements(issuer, { ...changes, endpoint })
      return {
        ...elements,
        ssl: { ...elements['ssl'], theApiSsl: { trustStoreRef: 'theApiTrust' } },
        keyStore: { ...elements['keyStore'], theApiTrust: { location: 'tokenwell/local/api-ca' } },
      }
    },
    async trustIn({ secretsFolder, surroundings }) {
      const path = secretPath(secretsFolder, surroundings.stage, `${secretPrefix(surroundings)}api-ca`)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, server.certificate.caCertificate)
    },
    tokens: () => server.requests.map(({ headers }) => bearerOf(headers.authorization)),
    refuse: (token = '') => refused.add(token),
  }
}

function bearerOf(authorization = ''): string {
  return /^Bearer (\S+)$/.exec(authorization)?.[1] ?? ''
}
