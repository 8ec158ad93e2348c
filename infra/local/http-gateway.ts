import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { liveAlias } from '../../lib/http-interface/entry.ts'
import { forThisMachine } from './this-machine.ts'

/** The largest body that API Gateway accepts. */
const maximumBodyBytes = 10 * 1024 * 1024
const integrationMilliseconds = 29_000
/** API Gateway passes bodies of all other types in base64. */
const textTypes = /^(text\/|application\/(json|javascript|xml))/

export type LambdaHandler = (
  event: APIGatewayProxyEventV2,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>

/**
 * An HTTP server that passes requests to a Lambda handler in the form of an HTTP API, payload format 2.0. It answers only requests
 * from this machine.
 */
export function createHttpGateway(handler: LambdaHandler): Server {
  const answerGateway = forThisMachine((request, response) => {
    answer(handler, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' })
      response.end('{"message":"Internal Server Error"}')
    })
  })
  return createServer(answerGateway)
}

async function answer(handler: LambdaHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [encodedPath = '/', ...query] = (request.url ?? '/').split('?')
  const path = decodePath(encodedPath)
  if (path === undefined) return refuse(response, 400, 'Bad Request')
  const body = await readBody(request)
  if (!body) return refuse(response, 413, 'Request Entity Too Large')

  const startedAt = Date.now()
  const event = createEvent(request, { path, query: query.join('?'), body, now: startedAt })
  const { statusCode = 200, headers, cookies, ...result } = await handler(event, createLocalContext(startedAt))
  response.writeHead(statusCode, { ...(headers as Record<string, string>), ...(cookies && { 'set-cookie': cookies }) })
  response.end(result.isBase64Encoded ? Buffer.from(result.body ?? '', 'base64') : result.body)
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify({ message }))
}

/** Returns undefined if the body is too large. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maximumBodyBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

interface ReadRequest {
  /** Decoded. */
  readonly path: string
  readonly query: string
  readonly body: Buffer
  readonly now: number
}

function createEvent(request: IncomingMessage, { path, query, body, now }: ReadRequest): APIGatewayProxyEventV2 {
  const { method = 'GET', headersDistinct } = request
  const { cookie, ...others } = headersDistinct
  const isText = textTypes.test(request.headers['content-type'] ?? '')
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    ...(cookie && { cookies: cookie.flatMap((line) => line.split('; ')) }),
    headers: Object.fromEntries(Object.entries(others).map(([name, values = []]) => [name, values.join(',')])),
    requestContext: {
      accountId: 'local',
      apiId: 'local',
      domainName: request.headers.host ?? 'localhost',
      domainPrefix: 'localhost',
      http: {
        method,
        path,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? '',
        userAgent: request.headers['user-agent'] ?? '',
      },
      requestId: randomUUID(),
      routeKey: '$default',
      stage: '$default',
      time: new Date(now).toISOString(),
      timeEpoch: now,
    },
    ...(body.length > 0 && { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  }
}

/** API Gateway passes the path decoded. Returns undefined if it cannot be decoded. */
function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

/**
 * A context with the time that an HTTP API gives its integration.
 * @param invoked the function and its qualifier, as a caller of Lambda names them: `issue-token:c-orders`
 */
export function createLocalContext(startedAt: number, invoked = `issue-token:${liveAlias}`): Context {
  return {
    awsRequestId: randomUUID(),
    callbackWaitsForEmptyEventLoop: false,
    functionName: 'issue-token',
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:local:000000000000:function:${invoked}`,
    logGroupName: 'local',
    logStreamName: 'local',
    memoryLimitInMB: '512',
    getRemainingTimeInMillis: () => Math.max(0, startedAt + integrationMilliseconds - Date.now()),
    done() {},
    fail() {},
    succeed() {},
  }
}
