import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { ApiCallError } from '../../lib/api-call/api-endpoint.ts'
import type { CallApi } from '../../lib/api-call/call-api.ts'
import { accessOf, demandAccess } from '../../lib/http-interface/access.ts'
import { deadlineOf } from '../../lib/http-interface/deadline.ts'
import { errorAnswer } from '../../lib/http-interface/error-answer.ts'
import { errorResponse, logError } from '../../lib/http-interface/error-response.ts'
import { readHttpEvent } from '../../lib/http-interface/http-event.ts'
import type { Log } from '../../lib/log/log-event.ts'
import { apiResponse } from './api-response.ts'
import { readApiCall } from './read-api-call.ts'

export interface HandlerParts {
  readonly callApi: CallApi
  readonly now: () => number
  readonly log: Log
  readonly connectionsClaim?: string
}

/** The whole call: an HTTP API gives up on its integration after 29 s, the start of an instance included. */
const callMilliseconds = 27_000

type HttpHandler = (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2>

/** Answers HTTP API events of payload format 2.0: `ANY /connections/{connection}/api/{path+}`. Never throws. */
export function createHandler({ callApi, now, log, connectionsClaim }: HandlerParts): HttpHandler {
  return async (given, context) => {
    const deadline = deadlineOf(context, now(), callMilliseconds)
    let connection: string | undefined
    try {
      const event = readHttpEvent(given)
      const call = readApiCall(event)
      connection = call.connection
      demandAccess(accessOf(event, connectionsClaim), connection)
      return apiResponse(await callApi(call, deadline))
    } catch (error) {
      const answer = errorAnswer(error)
      logError(log, answer, context.awsRequestId, connection)
      const response = errorResponse(answer, context.awsRequestId)
      return { ...response, headers: { ...response.headers, 'proxy-status': proxyStatus(error, answer.status) } }
    }
  }
}

/** RFC 9209: by it callers tell an error of ours from one of the API. */
function proxyStatus(error: unknown, status: number): string {
  return `tokenwell; error=${error instanceof ApiCallError ? error.code : errorType(status)}`
}

function errorType(status: number): string {
  if (status === 403) return 'http_request_denied'
  return status < 500 ? 'http_request_error' : 'proxy_internal_error'
}
