import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { readIncomingEvent } from '../../lib/event/read-incoming-event.ts'
import { UnreadableEventError } from '../../lib/event/unreadable-event-error.ts'
import type { LambdaHandler } from './http-gateway.ts'
import type { Deliver } from './local-queue.ts'

/** The same, and `POST /events` takes an event as EventBridge would, which only this run has. */
export function withEventsRoute(handler: LambdaHandler, deliver: Deliver, stage: string): LambdaHandler {
  return async (event, context) => (isForEvents(event) ? accept(event, deliver, stage) : handler(event, context))
}

function isForEvents({ rawPath, requestContext }: APIGatewayProxyEventV2): boolean {
  return rawPath === '/events' && requestContext.http.method === 'POST'
}

function accept(
  { body = '', isBase64Encoded }: APIGatewayProxyEventV2,
  deliver: Deliver,
  stage: string,
): APIGatewayProxyStructuredResultV2 {
  const text = isBase64Encoded ? Buffer.from(body, 'base64').toString() : body
  try {
    const { type } = readIncomingEvent(text, stage)
    deliver(JSON.parse(text) as object)
    return json(202, { accepted: type })
  } catch (error) {
    if (!(error instanceof UnreadableEventError)) throw error
    return json(400, { error: 'invalid_request', error_description: error.message })
  }
}

function json(statusCode: number, body: object): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(body)}\n` }
}
