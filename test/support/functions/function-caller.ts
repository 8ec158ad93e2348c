import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import type { Workspace } from '../../../infra/local/workspace.ts'
import { overhearAnswer, plantSecrets } from '../output/canary.ts'
import { contextFor } from './alias.ts'
import { createBareWorkspace, createHttpEvent, type Handler, type HttpRequest, loadFunction } from './load-function.ts'

/** The issue-token function with the product's own wiring. */
export interface Caller {
  readonly workspace: Workspace
  readonly handler: Handler
  /** Direct invocation. */
  invoke(event: unknown): Promise<Record<string, unknown>>
  http(request: HttpRequest): Promise<HttpAnswer>
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Record<string, unknown>
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
      const answer = (await handler(event, contextFor(event))) as Record<string, unknown>
      overhearAnswer(answer)
      return answer
    },
    http: (request) => sendHttp(handler, request),
  }
}

/** Sends one event of an HTTP API and reads the answer. */
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
