import middy from '@middy/core'
import httpHeaderNormalizer from '@middy/http-header-normalizer'
import httpRouter from '@middy/http-router'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import type { ElementStore } from '../../lib/configuration/element-store.ts'
import { describeFinding, isMistake } from '../../lib/configuration/finding.ts'
import { listConnections } from '../../lib/configuration/inspect-elements.ts'
import type { GetToken, HandedOutToken } from '../../lib/get-token/get-token.ts'
import type { Outcomes } from '../../lib/get-token/outcomes.ts'
import type { RejectToken } from '../../lib/get-token/reject-token.ts'
import { ignoreCoolingDown } from '../../lib/get-token/token-error.ts'
import { accessOf, demandAccess } from '../../lib/http-interface/access.ts'
import { deadlineOf } from '../../lib/http-interface/deadline.ts'
import { type ErrorAnswer, errorAnswer, UnknownRouteError } from '../../lib/http-interface/error-answer.ts'
import { errorBody, errorResponse, jsonResponse, logError, noStore } from '../../lib/http-interface/error-response.ts'
import { readHttpEvent } from '../../lib/http-interface/http-event.ts'
import type { Log } from '../../lib/log/log-event.ts'
import type { ClockOffsets } from '../../lib/token-endpoint/assertion.ts'
import { describeConnection } from './connections-answer.ts'
import { readConnection, readDirectTokenRequest, readHttpTokenRequest, readRejection } from './token-request.ts'

/** The whole request: an HTTP API gives up on its integration after 30 s. */
const requestMilliseconds = 25_000

export interface HandlerParts {
  readonly getToken: GetToken
  readonly rejectToken: RejectToken
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly outcomes: Outcomes
  readonly clockOffsets: ClockOffsets
  readonly now: () => number
  readonly log: Log
  readonly connectionsClaim?: string
}

type HttpHandler = (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2>

/** Answers HTTP API events of payload format 2.0 and direct invocations. Never throws. */
export function createHandler(parts: HandlerParts): (event: unknown, context: Context) => Promise<object> {
  const http = createHttpHandler(parts)
  return (event, context) => (isHttpEvent(event) ? http(event, context) : answerDirectly(parts, event, context))
}

function isHttpEvent(event: unknown): event is APIGatewayProxyEventV2 {
  return typeof event === 'object' && event !== null && 'requestContext' in event && 'version' in event
}

function createHttpHandler(parts: HandlerParts): HttpHandler {
  const { getToken, rejectToken, elements, deployment, outcomes, clockOffsets, connectionsClaim } = parts

  const issue: HttpHandler = async (event, context) => {
    demandAccess(accessOf(event, connectionsClaim), readConnection(event))
    const deadline = deadlineOf(context, parts.now(), requestMilliseconds)
    const token = await getToken(readHttpTokenRequest(event), deadline)
    return jsonResponse(200, tokenBody(token))
  }

  const reject: HttpHandler = async (event) => {
    const { connection, tokenId } = readRejection(event)
    demandAccess(accessOf(event, connectionsClaim), connection)
    // 204 whether it was dropped, is gone, or stays for a while yet.
    await rejectToken(connection, tokenId).catch(ignoreCoolingDown)
    return { statusCode: 204, headers: noStore }
  }

  const list: HttpHandler = async (event) => {
    const access = accessOf(event, connectionsClaim)
    const listed = (await listConnections(elements, deployment)).filter(({ name }) => access(name))
    const mistakes = (await elements.findings()).filter(isMistake).map(describeFinding)
    return jsonResponse(200, {
      ...(mistakes.length > 0 && { mistakes }),
      connections: listed.map((each) => describeConnection(each, outcomes.of(each.name), clockOffsets)),
    })
  }

  const routes = [
    { method: 'POST', path: '/connections/{connection}/token', handler: issue },
    { method: 'DELETE', path: '/connections/{connection}/token', handler: reject },
    { method: 'GET', path: '/connections', handler: list },
  ] as const
  const router = httpRouter<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>({
    routes: [...routes],
    notFoundResponse: () => {
      const known = routes.map(({ method, path }) => `${method} ${path}`)
      throw new UnknownRouteError(`There is no such route; there are ${known.join(', ')}.`)
    },
  })
  return middy(router)
    .before((request) => {
      request.event = readHttpEvent(request.event)
    })
    .use(httpHeaderNormalizer())
    .onError((request) => {
      const { awsRequestId } = request.context
      const answer = note(parts, errorAnswer(request.error), awsRequestId, request.event.pathParameters?.['connection'])
      request.response = errorResponse(answer, awsRequestId)
    })
}

async function answerDirectly(parts: HandlerParts, event: unknown, context: Context): Promise<object> {
  try {
    const deadline = deadlineOf(context, parts.now(), requestMilliseconds)
    return tokenBody(await parts.getToken(readDirectTokenRequest(event), deadline))
  } catch (error) {
    const { status, retryAfterSeconds, ...answer } = note(
      parts,
      errorAnswer(error),
      context.awsRequestId,
      connectionOf(event),
    )
    return {
      ...errorBody(answer, context.awsRequestId),
      status,
      ...(retryAfterSeconds !== undefined && { retry_after: retryAfterSeconds }),
    }
  }
}

function note({ log }: HandlerParts, answer: ErrorAnswer, requestId: string, connection: unknown): ErrorAnswer {
  logError(log, answer, requestId, connection)
  return answer
}

function connectionOf(event: unknown): unknown {
  return typeof event === 'object' && event !== null && 'connection' in event ? event.connection : undefined
}

/** RFC 6749 section 5.1, and where the token comes from. */
function tokenBody({ token, source, secondsLeft }: HandedOutToken): object {
  return {
    access_token: token.accessToken.reveal(),
    token_type: 'Bearer',
    expires_in: secondsLeft,
    ...(token.scope !== undefined && { scope: token.scope }),
    token_id: token.id,
    source,
  }
}
