import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { InvalidRequestError } from '../../lib/admission/admit-request.ts'
import { maximumPayloadBytes } from '../../lib/api-call/api-endpoint.ts'
import type { ApiCall } from '../../lib/api-call/call-api.ts'
import { RequestTooLargeError, UnknownRouteError } from '../../lib/http-interface/error-answer.ts'
import { namedConnection, pathInStage } from '../../lib/http-interface/http-event.ts'

/** Those of an HTTP API's `ANY`. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/**
 * `ANY /connections/{connection}/api/{path+}`: the connection, and what is to be sent to its API.
 * @throws {UnknownRouteError}
 * @throws {InvalidRequestError}
 * @throws {RequestTooLargeError}
 */
export function readApiCall(event: APIGatewayProxyEventV2): ApiCall {
  const { requestContext, rawQueryString = '', headers, cookies } = event
  const [connection, path] = readRoute(event)
  const { method } = requestContext.http
  if (!methods.includes(method)) throw new InvalidRequestError('method', `must be one of ${methods.join(', ')}.`)
  const body = readBody(event)
  return {
    connection: namedConnection(connection),
    method,
    path,
    query: rawQueryString,
    headers,
    ...(cookies && { cookies }),
    ...(body && { body }),
  }
}

function readRoute(event: APIGatewayProxyEventV2): readonly [connection: string, path: string] {
  const [, connection, rest] = /^\/connections\/([^/]+)\/api(\/.*)$/s.exec(pathInStage(event)) ?? []
  if (connection === undefined || rest === undefined)
    throw new UnknownRouteError('There is no such route; there is ANY /connections/{connection}/api/{path+}.')
  return [connection, rest]
}

function readBody({ body, isBase64Encoded }: APIGatewayProxyEventV2): Buffer | undefined {
  if (!body) return undefined
  if (body.length > maximumPayloadBytes)
    throw new RequestTooLargeError(`The body is larger than the ${maximumPayloadBytes} bytes (6 MB) that Lambda takes.`)
  return Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
}
