import { randomUUID } from 'node:crypto'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { parseJson } from '../../lib/base/decoding.ts'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { rotationSteps } from '../../lib/key-lifecycle/rotate-key.ts'
import { RotationRefusedError } from '../../lib/key-lifecycle/rotating-secret.ts'
import { readIncomingEvent, UnreadableEventError } from '../../lib/renewal/incoming-event.ts'
import { type FunctionId, functionIds, functionTable } from '../stack/function-table.ts'
import { createLocalContext, type LambdaHandler } from './http-gateway.ts'
import type { LocalFunctions } from './local-functions.ts'
import type { LocalQueue } from './local-queue.ts'

/**
 * The routes of the HTTP API, and three routes that only the local run has. `POST /events` accepts an event in place of EventBridge.
 * `POST /rotate/{jwtBuilder}` runs the steps of a rotation in place of Secrets Manager. `POST /2015-03-31/functions/{name}/invocations`
 * invokes a function as Lambda does, for direct requests by any AWS SDK.
 */
export function createLocalRoutes(functions: LocalFunctions, queue: LocalQueue, stage: string): LambdaHandler {
  return async function answerRoute(event, context) {
    const { rawPath, requestContext } = event
    const isPost = requestContext.http.method === 'POST'
    const [, jwtBuilder] = /^\/rotate\/([^/]+)$/.exec(rawPath) ?? []
    const [, invoked] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(rawPath) ?? []
    if (isPost && rawPath === '/events') return accept(event, queue, stage)
    if (isPost && jwtBuilder !== undefined) return answerRotation(functions, stage, jwtBuilder)
    if (isPost && invoked !== undefined) return await invoke(functions, invoked, event)
    return await functions[functionBehind(rawPath)](event, context)
  }
}

type HttpFunctionId = {
  [Id in FunctionId]: (typeof functionTable)[Id]['invoker'] extends 'http-api' ? Id : never
}[FunctionId]

/**
 * The function that answers a path. The route with the longest match decides, compared up to its last parameter. A path that
 * matches no route goes to `issue-token`, which answers that the route does not exist.
 */
function functionBehind(path: string): HttpFunctionId {
  const httpFunctions = functionIds.filter(isHttpFunction)
  const matches = httpFunctions.flatMap((id) => {
    return functionTable[id].routes.map((route) => ({ id, length: lengthOfMatch(route.path, path) }))
  })
  const [longest] = matches.filter(({ length }) => length > 0).sort((a, b) => b.length - a.length)
  return longest?.id ?? 'issueToken'
}

function isHttpFunction(id: FunctionId): id is HttpFunctionId {
  return functionTable[id].invoker === 'http-api'
}

/** How many characters of a path the beginning of a route matches. */
function lengthOfMatch(route: string, path: string): number {
  const beginning = route.replace(/\{[^{]*$/, '')
  const pattern = beginning.replace(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${pattern}`).exec(path)?.[0].length ?? 0
}

/**
 * `POST /2015-03-31/functions/{name}/invocations` of Lambda. The name may end with the alias, or the parameter `Qualifier` has it.
 * Only functions that callers may invoke are there.
 */
async function invoke(
  functions: LocalFunctions,
  invoked: string,
  event: APIGatewayProxyEventV2,
): Promise<APIGatewayProxyStructuredResultV2> {
  const [name, ...alias] = invoked.split(':')
  const qualifier = new URLSearchParams(event.rawQueryString).get('Qualifier')
  const id = functionIds.filter(isHttpFunction).find((each) => functionTable[each].name === name)
  if (id === undefined) return json(404, { Type: 'User', Message: `Function not found: ${name}` })
  const payload = parseJson(textOf(event))
  if (payload === undefined) return json(400, { Type: 'User', Message: 'Could not parse request body into json.' })
  const qualified = [name, ...alias, ...(qualifier === null ? [] : [qualifier])].join(':')
  const answer = await functions[id](payload as APIGatewayProxyEventV2, createLocalContext(Date.now(), qualified))
  return json(200, answer)
}

function textOf({ body = '', isBase64Encoded }: APIGatewayProxyEventV2): string {
  return isBase64Encoded ? Buffer.from(body, 'base64').toString() : body
}

function accept(event: APIGatewayProxyEventV2, queue: LocalQueue, stage: string): APIGatewayProxyStructuredResultV2 {
  const text = textOf(event)
  try {
    const { type } = readIncomingEvent(text, stage)
    void queue.deliver(JSON.parse(text) as object)
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

/** Runs the four steps as Secrets Manager does. Throws the errors of `rotate-key`. */
async function rotate(rotateKey: LocalFunctions['rotateKey'], stage: string, jwtBuilder: string): Promise<void> {
  const rotation = { SecretId: `${secretPrefix({ stage })}jwk/${jwtBuilder}`, ClientRequestToken: randomUUID() }
  for (const Step of rotationSteps) await rotateKey({ ...rotation, Step }, createLocalContext(Date.now()))
}

function json(statusCode: number, body: object): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(body)}\n` }
}
