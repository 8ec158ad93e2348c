import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'

/** What API Gateway accepts at most. */
const maximumBodyBytes = 10 * 1024 * 1024
const integrationMilliseconds = 29_000
/** Of other types API Gateway hands over the body in base64. */
const textTypes = /^(text\/|application\/(json|javascript|xml))/

export type LambdaHandler = (
  event: APIGatewayProxyEventV2,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>

/** An HTTP server that hands requests to a Lambda handler in the form in which an HTTP API does, payload format 2.0. */
export function createHttpGateway(handler: LambdaHandler): Server {
  return createServer((request, response) => {
    answer(handler, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' })
      response.end('{"message":"Internal Server Error"}')
    })
  })
}

async function answer(handler: LambdaHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request)
  if (!body) {
    response.writeHead(413, { 'content-type': 'application/json', connection: 'close' })
    response.end('{"message":"Request Entity Too Large"}')
    return
  }
  const startedAt = Date.now()
  const result = await handler(createEvent(request, body, startedAt), createLocalContext(startedAt))
  response.writeHead(result.statusCode ?? 200, result.headers as Record<string, string>)
  response.end(result.isBase64Encoded ? Buffer.from(result.body ?? '', 'base64') : result.body)
}

/** Undefined where it is too large. */
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

function createEvent(request: IncomingMessage, body: Buffer, now: number): APIGatewayProxyEventV2 {
  const [path = '/', ...query] = (request.url ?? '/').split('?')
  const rawPath = decodePath(path)
  const method = request.method ?? 'GET'
  const isText = textTypes.test(request.headers['content-type'] ?? '')
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: query.join('?'),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(',')]),
    ),
    requestContext: {
      accountId: 'local',
      apiId: 'local',
      domainName: request.headers.host ?? 'localhost',
      domainPrefix: 'localhost',
      http: {
        method,
        path: rawPath,
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

/** API Gateway hands over the path decoded. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** A context with the time that an HTTP API leaves its integration. */
export function createLocalContext(startedAt: number): Context {
  return {
    awsRequestId: randomUUID(),
    callbackWaitsForEmptyEventLoop: false,
    functionName: 'issue-token',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'local',
    logGroupName: 'local',
    logStreamName: 'local',
    memoryLimitInMB: '512',
    getRemainingTimeInMillis: () => Math.max(0, startedAt + integrationMilliseconds - Date.now()),
    done() {},
    fail() {},
    succeed() {},
  }
}
