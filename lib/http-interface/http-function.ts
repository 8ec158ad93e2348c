import middy, { type Request } from '@middy/core'
import type { Context } from 'aws-lambda'
import { isJsonObject } from '../base/decoding.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Log } from '../log/log-event.ts'
import { accessOf, demandAccess } from './access.ts'
import { errorAnswer } from './error-answer.ts'
import { errorResponse, logError, withProxyStatus } from './error-response.ts'
import { type HttpEvent, type HttpResponse, namedConnection, readHttpEvent } from './http-event.ts'

/** A route, with the function that answers it. */
export interface Route {
  /** `ANY` is every method. */
  readonly method: string
  /**
   * `{name}` is one segment of the path, and `{name+}` at its end is all the rest, with its slash. After `/?` at its end a
   * slash may follow. A route with a `{connection}` is open only to callers who may use that connection.
   */
  readonly path: string
  /** @param event its path parameters are those that `path` names */
  answer(event: HttpEvent, context: Context): Promise<HttpResponse>
}

interface HttpFunctionOptions {
  readonly routes: readonly Route[]
  /** The claim of a JWT authorizer that lists the caller's connections; absent behind IAM. */
  readonly connectionsClaim?: string | undefined
  /** Nobody signs requests to it: mistakes of callers are not logged, or anybody could fill the log. */
  readonly isPublic?: boolean
  /** Its answers are another server's: `proxy-status` tells Tokenwell's own errors from that server's. */
  readonly isProxy?: boolean
  readonly log: Log
}

interface RoutedEvent extends HttpEvent {
  readonly route: Route
}

type HttpFunction = (event: unknown, context: Context) => Promise<HttpResponse>

/**
 * A Lambda function behind an HTTP API, payload format 2.0. It reads the event, finds the route, demands access to the
 * connection, and answers. Every error is logged and becomes an answer: the function itself never throws.
 */
export function createHttpFunction(options: HttpFunctionOptions): HttpFunction {
  const { routes, connectionsClaim, isPublic = false, isProxy = false, log } = options
  const patterns = routes.map((route) => ({ route, pattern: patternOf(route.path) }))

  // What Lambda hands over is of no type yet: `routeEvent` reads it.
  return middy<RoutedEvent, HttpResponse>(answer).before(routeEvent).onError(answerError) as HttpFunction

  function routeEvent(request: Request<RoutedEvent, HttpResponse>): void {
    const event = readHttpEvent(request.event)
    const { route, basePath, pathParameters } = findRoute(event)
    request.event = { ...event, basePath, pathParameters, route }
    const connection = pathParameters['connection']
    if (connection === undefined) return
    const access = accessOf(event, connectionsClaim)
    demandAccess(access, namedConnection(connection))
    // API Gateway names the same connection as the path. In an event that somebody made up the two may differ.
    demandAccess(access, namedConnection(event.pathParameters['connection'] ?? connection))
  }

  function findRoute(event: HttpEvent): Pick<RoutedEvent, 'route' | 'basePath' | 'pathParameters'> {
    const { rawPath, basePath, routeKey, requestContext } = event
    const { method } = requestContext.http
    const path = rawPath.slice(basePath.length)
    for (const { route, pattern } of patterns.filter((each) => ['ANY', method].includes(each.route.method))) {
      const match = pattern.exec(path)
      if (match) return { route, basePath, pathParameters: { ...match.groups } }
      // A custom domain's base path begins the path, and nothing but the key of the route tells how far it goes.
      const behind = routeKey === routeKeyOf(route) ? patternBehindBasePath(pattern).exec(rawPath) : null
      if (behind?.groups) {
        const { basePath: itsBasePath = '', ...pathParameters } = behind.groups
        return { route, basePath: itsBasePath, pathParameters }
      }
    }
    throw new UnknownRouteError(routes)
  }

  async function answer(event: RoutedEvent, context: Context): Promise<HttpResponse> {
    return await event.route.answer(event, context)
  }

  function answerError(request: Request<RoutedEvent, HttpResponse>): void {
    const { error, event, context } = request
    const answer = errorAnswer(error)
    if (!isPublic || answer.status >= 500) logError(log, answer, context.awsRequestId, connectionOf(event))
    const response = errorResponse(answer, context.awsRequestId)
    request.response = isProxy ? withProxyStatus(response, error) : response
  }
}

/**
 * @middy/http-router would not do: it allows a slash after every path, its `+` parameter ends at a line break, and its `ANY`
 * leaves out methods that call-api refuses with a reason.
 */
function patternOf(path: string): RegExp {
  const pattern = path.replace(/\/\{(\w+)\+\}$/, '(?<$1>/.*)').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')
  return new RegExp(`^${pattern}$`, 's')
}

function patternBehindBasePath(pattern: RegExp): RegExp {
  return new RegExp(`^(?<basePath>(?:/[^/]+)+?)${pattern.source.slice(1)}`, 's')
}

/** As API Gateway has it, and as messages show it. */
function routeKeyOf({ method, path }: Pick<Route, 'method' | 'path'>): string {
  return `${method} ${path.replace(/\/\?$/, '')}`
}

/** Also of an event that could not be read. */
function connectionOf(event: unknown): unknown {
  const pathParameters = isJsonObject(event) ? event['pathParameters'] : undefined
  return isJsonObject(pathParameters) ? pathParameters['connection'] : undefined
}

/** There is no such route. Its message names those that there are. */
export class UnknownRouteError extends TokenwellError {
  readonly code = 'unknown_route'

  constructor(routes: readonly Pick<Route, 'method' | 'path'>[]) {
    const knownRoutes = routes.map(routeKeyOf).join(', ')
    super(`The requested route does not exist. This function serves: ${knownRoutes}.`)
  }

  override get publicMessage(): string {
    return this.message
  }
}

/** Kept back from the function's time-out, so that there is time to answer with an error of our own. */
const answerReserveMilliseconds = 500

/**
 * By when an HTTP function has to answer, in milliseconds since the epoch.
 * @param context Lambda's: how long the function may run
 * @param longestMilliseconds how long the caller waits
 */
export function deadlineOf(
  context: Pick<Context, 'getRemainingTimeInMillis'>,
  now: number,
  longestMilliseconds: number,
): number {
  return now + Math.min(longestMilliseconds, context.getRemainingTimeInMillis() - answerReserveMilliseconds)
}
