import type { TestContext } from 'node:test'
import { type AuthorizationServer, startAuthorizationServer } from '../../../infra/local/authorization-server.ts'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { clientsOf, localConnections, type Workspace } from '../../../infra/local/workspace.ts'
import type { RawElements } from '../elements/elements.ts'
import { plant } from '../output/canary.ts'
import { type Caller, createWorkspace, startCaller } from './function-caller.ts'
import type { GivenSecrets } from './load-function.ts'

/** The function, and a real authorization server that knows its clients. */
export interface IssueTokenWithOidcProvider extends Caller {
  readonly server: AuthorizationServer
  /** The number of requests that the token endpoint received. */
  tokenRequests(): number
}

export interface IssueTokenWithOidcProviderOptions {
  readonly tokenSeconds?: number
  readonly environment?: Record<string, string>
  readonly secrets?: GivenSecrets
}

/** The users of the authorization server, with their passwords. */
export const users: ReadonlyMap<string, string> = new Map([
  ['alice', 'the password of alice'],
  ['bob', 'the password of bob'],
])

/** Starts everything for these elements, and stops it when the test ends. */
export async function startIssueTokenWithOidcProvider(
  t: TestContext,
  elements: (issuer: string) => RawElements,
  { tokenSeconds, environment, secrets }: IssueTokenWithOidcProviderOptions = {},
): Promise<IssueTokenWithOidcProvider> {
  const certificate = await createServerCertificate(['localhost'])
  let workspace: Workspace | undefined
  const server = await startAuthorizationServer({
    port: 0,
    certificate,
    users,
    ...(tokenSeconds !== undefined && { tokenSeconds }),
    async clients(issuer) {
      workspace = await createWorkspace(t, elements(issuer), certificate, secrets)
      return clientsOf(workspace, await localConnections(workspace, issuer))
    },
  })
  t.after(() => server.close())
  if (!workspace) throw new Error('the authorization server did not ask for its clients')

  for (const password of users.values()) plant(password)
  let requests = 0
  server.server.on('request', ({ url }: { url?: string }) => {
    if (url?.startsWith('/token')) requests++
  })
  return { ...(await startCaller(workspace, environment)), server, tokenRequests: () => requests }
}
