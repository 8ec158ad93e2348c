import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { type AuthorizationServer, startAuthorizationServer } from '../../infra/local/authorization-server.ts'
import { createServerCertificate, type ServerCertificate } from '../../infra/local/certificate-authority.ts'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { clientsOf, localConnections, prepareSecrets, trust, type Workspace } from '../../infra/local/workspace.ts'
import { overhearAnswer, plant, plantSecrets } from './canary.ts'
import { type RawElements, withoutUndefined } from './elements.ts'

export type Handler = (event: unknown, context: Context) => Promise<unknown>

/** The issue-token function as it is wired. */
export interface Caller {
  readonly workspace: Workspace
  readonly handler: Handler
  /** Direct invocation. */
  invoke(event: unknown): Promise<Record<string, unknown>>
  http(request: HttpRequest): Promise<HttpAnswer>
}

/** The function beside a real authorization server that knows its clients. */
export interface TheSet extends Caller {
  readonly server: AuthorizationServer
  /** How many requests the token endpoint has had. */
  tokenRequests(): number
}

export interface HttpRequest {
  readonly method: string
  readonly path: string
  readonly query?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
  readonly authorizer?: object
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Record<string, unknown>
}

export interface SetOptions {
  readonly tokenSeconds?: number
  readonly environment?: Record<string, string>
  readonly secrets?: GivenSecrets
}

/** Secrets that are not made, by their names below the stage. */
export type GivenSecrets = Readonly<Record<string, string | Buffer>>

/** The users of the authorization server, with their passwords. */
export const users: ReadonlyMap<string, string> = new Map([
  ['alice', 'the password of alice'],
  ['bob', 'the password of bob'],
])

/** Starts everything for these elements, and stops it when the test ends. */
export async function startTheSet(
  t: TestContext,
  elements: (issuer: string) => RawElements,
  { tokenSeconds, environment, secrets }: SetOptions = {},
): Promise<TheSet> {
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
export async function createWorkspace(
  t: Pick<TestContext, 'after'>,
  elements: RawElements,
  certificate?: ServerCertificate,
  secrets: GivenSecrets = {},
): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const workspace: Workspace = {
    elementsPath: join(folder, 'elements.json'),
    secretsFolder: join(folder, 'secrets'),
    surroundings: { stage: 'local', publicUrl: 'https://tokenwell.example', isLambda: false },
  }
  await writeFile(workspace.elementsPath, JSON.stringify(withoutUndefined(elements)))
  for (const [name, content] of Object.entries(secrets)) await writeSecret(workspace, name, content)
  await prepareSecrets(workspace)
  if (certificate) await trust(workspace, certificate)
  plantSecrets(workspace.secretsFolder)
  return workspace
}

/** Stores a secret, or another one in its place. */
export async function writeSecret({ secretsFolder }: Workspace, name: string, content: string | Buffer): Promise<void> {
  await mkdir(secretsFolder, { recursive: true })
  await writeFile(join(secretsFolder, name), content)
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

let loaded = 0

/** The function's own wiring, once more for each call: its environment is read when it loads. */
export async function loadFunction(
  name: 'issue-token' | 'call-api' | 'warm-tokens' | 'refresh-token' | 'rotate-key' | 'publish-keys',
  workspace: Workspace,
  environment: Record<string, string> = {},
): Promise<Handler> {
  const before = { ...process.env }
  Object.assign(process.env, environmentOf(workspace), environment)
  const { handler }: { handler: Handler } = await import(`../../functions/${name}/index.ts?load=${loaded++}`)
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  Object.assign(process.env, before)
  return handler
}

/** What tells a function of this workspace. */
export function environmentOf({ elementsPath, secretsFolder, surroundings }: Workspace): Record<string, string> {
  return {
    TOKENWELL_STAGE: surroundings.stage,
    TOKENWELL_PUBLIC_URL: surroundings.publicUrl,
    TOKENWELL_ELEMENTS: elementsPath,
    TOKENWELL_SECRETS: secretsFolder,
    TOKENWELL_CACHE: 'memory',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'true',
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

/** In the shape in which an HTTP API sends it: payload format 2.0, forms in base64. */
export function createHttpEvent({ method, path, query = '', headers = {}, body, authorizer }: HttpRequest): object {
  const isText = /^(text\/|application\/json)/.test(headers['content-type'] ?? '')
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    headers,
    requestContext: {
      http: { method, path },
      requestId: 'the-request',
      stage: '$default',
      ...(authorizer && { authorizer }),
    },
    ...(body !== undefined && { body: isText ? body.toString() : Buffer.from(body).toString('base64') }),
    isBase64Encoded: body !== undefined && !isText,
  }
}

/** `POST /connections/{connection}/token` with a form. */
export function tokenRequest(connection: string, form: string | Buffer = '', query = ''): HttpRequest {
  return {
    method: 'POST',
    path: `/connections/${connection}/token`,
    query,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    ...(form !== '' && { body: form }),
  }
}
