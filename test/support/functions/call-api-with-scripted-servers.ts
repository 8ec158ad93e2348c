import type { TestContext } from 'node:test'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import type { Workspace } from '../../../infra/local/workspace.ts'
import type { ElementChanges, RawElements } from '../elements/elements.ts'
import { overhear, plant } from '../output/canary.ts'
import { startMovedClock } from '../process/this-process.ts'
import {
  type Script as ApiScript,
  elementsWithApi,
  type ScriptedApi,
  type ScriptedApiOptions,
  startScriptedApi,
  trustApi,
} from '../servers/scripted-api.ts'
import {
  type IssueTokenWithScriptedServer,
  type Script,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from './issue-token-with-scripted-server.ts'
import { createHttpEvent, type Handler, loadFunction } from './load-function.ts'

/** A call as an HTTP API delivers it. */
export interface CallRequest {
  readonly method?: string
  /** Below `/connections/conn/api`, decoded. */
  readonly path?: string
  readonly query?: string
  readonly headers?: Record<string, string>
  readonly cookies?: readonly string[]
  readonly body?: string | Buffer
  readonly connection?: string
  readonly authorizer?: object
  /** The stage of the HTTP API. `$default` if left out. */
  readonly stage?: string
  /** How much of the function's time is left. */
  readonly milliseconds?: number
}

export interface CallResult {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly cookies: readonly string[]
  readonly body: Buffer
  /** The RFC 9209 name of an error that Tokenwell made. */
  readonly proxyError?: string
}

/**
 * The call-api function with the product's own wiring, between a real API and a real token endpoint that follow a
 * script.
 */
export interface CallApiWithScriptedServers {
  readonly api: ScriptedApi
  readonly tokens: IssueTokenWithScriptedServer
  readonly workspace: Workspace
  readonly handler: Handler
  call(request?: CallRequest): Promise<CallResult>
  /** Moves the function's clock ahead by this much at once. */
  age(milliseconds: number): void
}

export interface CallApiWithScriptedServersOptions {
  readonly elements?: ElementChanges
  /** Kinds of elements that replace the existing ones. */
  readonly moreElements?: (elements: RawElements) => RawElements
  readonly tokens?: Script
  readonly server?: ScriptedApiOptions
  readonly environment?: Record<string, string>
  /** Replaces the API's origin. */
  readonly origin?: string
}

export async function startCallApiWithScriptedServers(
  t: TestContext,
  script?: ApiScript,
  {
    elements = {},
    moreElements = () => ({}),
    tokens: tokenScript = () => tokenAnswer(),
    server,
    environment,
    origin,
  }: CallApiWithScriptedServersOptions = {},
): Promise<CallApiWithScriptedServers> {
  const api = await startScriptedApi(
    t,
    (request, ...rest) => {
      plant(bearerOf(request.headers))
      return (script ?? (() => ({})))(request, ...rest)
    },
    server,
  )
  const tokens = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => {
      const made = elementsWithApi(issuer, origin ?? api.origin, elements)
      return { ...made, ...moreElements(made) }
    },
    tokenScript,
  )
  const { workspace } = tokens
  await trustApi(workspace, api.certificate.caCertificate)
  const age = startMovedClock(t)
  const handler = await loadFunction('call-api', workspace, environment)
  return {
    api,
    tokens,
    workspace,
    handler,
    call: (request) => callBy(handler, request),
    age,
  }
}

/** The bearer token of a request. */
export function bearerOf({ authorization = '' }: { readonly authorization?: string | undefined }): string {
  return authorization.replace(/^Bearer /, '')
}

export async function callBy(handler: Handler, request: CallRequest = {}): Promise<CallResult> {
  const { method = 'GET', path = '/', connection = 'conn', cookies, milliseconds, stage, ...rest } = request
  const inStage = `${stage === undefined ? '' : `/${stage}`}/connections/${connection}/api${path}`
  const event = createHttpEvent({ ...rest, method, path: inStage, stage })
  const context = createLocalContext(Date.now())
  const result = (await handler(
    { ...event, ...(cookies && { cookies }) },
    milliseconds === undefined ? context : { ...context, getRemainingTimeInMillis: () => milliseconds },
  )) as APIGatewayProxyStructuredResultV2
  return readResult(result)
}

export function readResult(result: APIGatewayProxyStructuredResultV2): CallResult {
  const { statusCode = 0, headers = {}, cookies = [], body = '', isBase64Encoded } = result
  const [, proxyError] = /^tokenwell; error=(.*)$/.exec(String(headers['proxy-status'] ?? '')) ?? []
  if (proxyError !== undefined) overhear(JSON.stringify(result))
  return {
    status: statusCode,
    headers,
    cookies,
    body: Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'),
    ...(proxyError !== undefined && { proxyError }),
  }
}
