import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { RotationRefusedError } from '../../lib/key-lifecycle/rotating-secret.ts'
import { readIncomingEvent, UnreadableEventError } from '../../lib/renewal/incoming-event.ts'
import type { LambdaHandler } from './http-gateway.ts'
import type { LocalFunctions } from './local-functions.ts'
import type { Deliver } from './local-queue.ts'
import { rotate } from './rotate.ts'

/**
 * The routes of the HTTP API, and two that only this run has: `POST /events` takes an event as EventBridge would, and
 * `POST /rotate/{jwtBuilder}` asks for the steps of a rotation as Secrets Manager would.
 */
export function createLocalRoutes(functions: LocalFunctions, deliver: Deliver, stage: string): LambdaHandler {
  return async (event, context) => {
    const { rawPath, requestContext } = event
    const isPost = requestContext.http.method === 'POST'
    const [, jwtBuilder] = /^\/rotate\/([^/]+)$/.exec(rawPath) ?? []
    if (isPost && rawPath === '/events') return accept(event, deliver, stage)
    if (isPost && jwtBuilder !== undefined) return answerRotation(functions, stage, jwtBuilder)
    if (/^\/connections\/[^/]+\/api\//.test(rawPath)) return functions.callApi(event, context)
    return rawPath.startsWith('/jwt/') ? functions.publishKeys(event, context) : functions.issueToken(event, context)
  }
}

function accept(
  { body = '', isBase64Encoded }: APIGatewayProxyEventV2,
  deliver: Deliver,
  stage: string,
): APIGatewayProxyStructuredResultV2 {
  const text = isBase64Encoded ? Buffer.from(body, 'base64').toString() : body
  try {
    const { type } = readIncomingEvent(text, stage)
    void deliver(JSON.parse(text) as object)
    return json(202, { accepted: type })
  } catch (error) {
    if (!(error instanceof UnreadableEventError)) throw error
    return json(400, { error: 'invalid_request', error_description: error.message })
  }
}

async function answerRotation(
  { rotateKey }: LocalFunctions,
  stage: string,
  jwtBuilder: string,
): Promise<APIGatewayProxyStructuredResultV2> {
  try {
    await rotate(rotateKey, stage, jwtBuilder)
    return json(200, { rotated: jwtBuilder })
  } catch (error) {
    if (!(error instanceof RotationRefusedError)) throw error
    return json(409, { error: 'invalid_request', error_description: error.message })
  }
}

function json(statusCode: number, body: object): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(body)}\n` }
}
