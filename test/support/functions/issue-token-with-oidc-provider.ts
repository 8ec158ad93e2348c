import type { TestContext } from 'node:test'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { type AuthorizationServer, startAuthorizationServer } from '../../../infra/local/authorization-server.ts'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import { clientsOf, localConnections, type Workspace } from '../../../infra/local/workspace.ts'
import type { RawElements } from '../elements/elements.ts'
import { overhearAnswer, plant, plantSecrets } from '../output/canary.ts'
import {
  createBareWorkspace,
  createHttpEvent,
  type GivenSecrets,
  type Handler,
  type HttpRequest,
  loadFunction,
} from './load-function.ts'

/** The issue-token function as it is wired. */
export interface Caller {
  readonly workspace: Workspace
  readonly handler: Handler
  /** Direct invocation. */
  invoke(event: unknown): Promise<Record<string, unknown>>
  http(request: HttpRequest): Promise<HttpAnswer>
}

/** The function beside a real authorization server that knows its clients. */
export interface IssueTokenWithOidcProvider extends Caller {
  readonly server: AuthorizationServer
  /** How many requests the token endpoint has had. */
  tokenRequests(): number
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Record<string, unknown>
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
  if (!workspace) throw new Error('the authorization server asked for no clients')

  for (const password of users.values()) plant(password)
  let requests = 0
  server.server.on('request', ({ url }: { url?: string }) => {
    if (url?.startsWith('/token')) requests++
  })
  return { ...(await startCaller(workspace, environment)), server, tokenRequests: () => requests }
}

/** A folder with these elements, and with every secret that they name. */
export async function createWorkspace(...parts: Parameters<typeof createBareWorkspace>): Promise<Workspace> {
  const workspace = await createBareWorkspace(...parts)
  plantSecrets(workspace.secretsFolder)
  return workspace
}

/** The function for a workspace, and the ways to call it. */
export async function startCaller(workspace: Workspace, environment?: Record<string, string>): Promise<Caller> {
  const handler = await loadFunction('issue-token', workspace, environment)
  return {
    workspace,
    handler,
    async invoke(event) {
      const answer = (await handler(event, createLocalContext(Date.now()))) as Record<string, unknown>
      overhearAnswer(answer)
      return answer
    },
    http: (request) => sendHttp(handler, request),
  }
}

/** One event of an HTTP API, and what is made of the answer. */
export async function sendHttp(handler: Handler, request: HttpRequest): Promise<HttpAnswer> {
  const result = (await handler(
    createHttpEvent(request),
    createLocalContext(Date.now()),
  )) as APIGatewayProxyStructuredResultV2
  overhearAnswer(result)
  return {
    status: result.statusCode ?? 0,
    headers: result.headers ?? {},
    body: String(result.headers?.['content-type']).includes('json') ? JSON.parse(result.body || '{}') : {},
  }
}
