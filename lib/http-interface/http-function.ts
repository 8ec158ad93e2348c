import middy, { type Request } from '@middy/core'
import type { Context } from 'aws-lambda'
import { AccessDeniedError } from '../admission/access-denied.ts'
import { InvalidRequestError } from '../admission/invalid-request.ts'
import { isJsonObject } from '../base/decoding.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Log } from '../log/log-event.ts'
import { accessOf, certificateOf, demandAccess } from './access.ts'
import type { Entry } from './entry.ts'
import { errorAnswer } from './error-answer.ts'
import { errorResponse, logError, withProxyStatus } from './error-response.ts'
import { type HttpEvent, type HttpResponse, namedConnection, readHttpEvent } from './http-event.ts'

/** A route, and the function that answers it. */
export interface Route {
  /** `ANY` is every method. */
  readonly method: string
  /**
   * `{name}` matches one segment of the path. `{name+}` at the end matches the rest, with its slash. `/?` at the end allows a
   * final slash. A route with `{connection}` is open only to callers that may use that connection, and one with `{subject}` only to
   * those whom IAM or a JWT authorizer has checked.
   */
  readonly path: string
  /** @param event with the path parameters that `path` names */
  answer(event: HttpEvent, context: Context): Promise<HttpResponse>
}

/** Elements say which connections a certificate may use. They can't say for which users. */
const whyNoCertificate =
  'A client certificate gives no access to tokens for users. Use the HTTP API of the stage, with IAM or a JWT.'
/** A right to invoke the function without an alias is from 0.1, which had no tokens for users. */
const whyNotWithoutAlias =
  'The function without an alias gives no access to tokens for users. Use the HTTP API of the stage, with IAM or a JWT.'

/** A slash or a question mark, decoded or not. */
const pathDelimiter = /[/?]|%2f|%3f/i

interface CertificateAdmission {
  /** @throws {AccessDeniedError} */
  demandCertificateSubject(connection: string, subject: string): Promise<void>
}

interface HttpFunctionOptions {
  readonly routes: readonly Route[]
  /** The claim of a JWT authorizer that lists the caller's connections. Undefined behind IAM. */
  readonly connectionsClaim?: string | undefined
  /**
   * Demands that the subject of a client certificate may use the connection. Without it, no certificate gives access to a
   * connection.
   */
  readonly application?: CertificateAdmission
  /** The function needs no authentication. Mistakes of callers are not logged, because any caller could fill the log. */
  readonly isPublic?: boolean
  /** The function returns answers of another server. `proxy-status` marks the errors of Tokenwell itself. */
  readonly isProxy?: boolean
  readonly log: Log
}

interface FoundRoute extends Pick<HttpEvent, 'basePath' | 'pathParameters'> {
  readonly route: Route
}

interface Invocation {
  readonly entry: Entry
  readonly event: unknown
  /** The event once it is read and its route is found. */
  routed?: HttpEvent
}

/** @param entry the alias that was invoked */
export type HttpFunction = (event: unknown, context: Context, entry: Entry) => Promise<HttpResponse>

/**
 * Makes a Lambda function behind an HTTP API, payload format 2.0. The function reads the event, finds the route, demands access to
 * the connection, and answers. It logs every error and turns it into an answer. It never throws.
 */
export function createHttpFunction(options: HttpFunctionOptions): HttpFunction {
  const { routes, connectionsClaim, application, isPublic = false, isProxy = false, log } = options
  const patterns = routes.map((route) => ({ route, pattern: patternOf(route.path) }))

  const pipeline: (invocation: Invocation, context: Context) => Promise<HttpResponse> = middy<Invocation, HttpResponse>(
    answer,
  ).onError(answerError)

  return async function answerHttp(event, context, entry) {
    return await pipeline({ entry, event }, context)
  }

  async function answer(invocation: Invocation, context: Context): Promise<HttpResponse> {
    const event = readHttpEvent(invocation.event, invocation.entry)
    const { route, basePath, pathParameters } = findRoute(event)
    invocation.routed = { ...event, basePath, pathParameters }
    await demandAccessTo(pathParameters['connection'], event, pathParameters['subject'] !== undefined)
    return await route.answer(invocation.routed, context)
  }

  /**
   * @throws {CertificateMissingError}
   * @throws {AccessDeniedError}
   * @throws {InvalidRequestError}
   */
  async function demandAccessTo(
    connection: string | undefined,
    event: HttpEvent,
    isForSubject: boolean,
  ): Promise<void> {
    const certificate = certificateOf(event)
    if (connection === undefined) return
    if (isForSubject && event.entry.kind !== 'http')
      throw new AccessDeniedError(certificate ? whyNoCertificate : whyNotWithoutAlias)
    // IAM has decided about the path before it was decoded. Such a user could look like a base path before another connection and user.
    if (pathDelimiter.test(event.pathParameters['subject'] ?? ''))
      throw new InvalidRequestError(
        'subject',
        'contains a slash or a question mark. Write it as ~ and the base64url of its UTF-8, without padding.',
      )
    // API Gateway names the same connection as the path. In a made-up event the two may differ.
    const names = [namedConnection(connection), namedConnection(event.pathParameters['connection'] ?? connection)]
    const access = accessOf(event, connectionsClaim)
    for (const name of new Set(names))
      if (certificate && application) await application.demandCertificateSubject(name, certificate.subject)
      else demandAccess(access, name)
  }

  function findRoute(event: HttpEvent): FoundRoute {
    const { rawPath, basePath, routeKey, requestContext } = event
    const { method } = requestContext.http
    const path = rawPath.slice(basePath.length)
    for (const { route, pattern } of patterns.filter((each) => ['ANY', method].includes(each.route.method))) {
      const match = pattern.exec(path)
      if (match) return { route, basePath, pathParameters: { ...match.groups } }
      // With a custom domain, the path begins with its base path. Only the key of the route tells where that ends.
      const behind = routeKey === routeKeyOf(route) ? patternBehindBasePath(pattern).exec(rawPath) : null
      if (behind?.groups) {
        const { basePath: itsBasePath = '', ...pathParameters } = behind.groups
        return { route, basePath: itsBasePath, pathParameters }
      }
    }
    throw new UnknownRouteError(routes, method)
  }

  function answerError(request: Request<Invocation, HttpResponse>): void {
    const { error, event: invocation, context } = request
    const answer = errorAnswer(error)
    const connection = connectionOf(invocation.routed ?? invocation.event)
    if (!isPublic || answer.status >= 500) logError(log, answer, context.awsRequestId, connection)
    const response = errorResponse(answer, context.awsRequestId)
    request.response = isProxy ? withProxyStatus(response, error) : response
  }
}

/**
 * @middy/http-router does not work for these routes: it allows a slash after every path, its `+` parameter ends at a line break,
 * and its `ANY` leaves out methods that call-api rejects with a reason.
 */
function patternOf(path: string): RegExp {
  const pattern = path
    .replace(/[.*()[\]|^$\\]|\+(?!\})/g, String.raw`\$&`)
    .replace(/\/\{(\w+)\+\}$/, '(?<$1>/.*)')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')
  return new RegExp(`^${pattern}$`, 's')
}

function patternBehindBasePath(pattern: RegExp): RegExp {
  return new RegExp(`^(?<basePath>(?:/[^/]+)+?)${pattern.source.slice(1)}`, 's')
}

/** The key of a route in API Gateway, which messages show too. */
function routeKeyOf({ method, path }: Pick<Route, 'method' | 'path'>): string {
  return `${method} ${path.replace(/\/\?$/, '')}`
}

/** Works also for an event that could not be read. */
function connectionOf(event: unknown): unknown {
  const pathParameters = isJsonObject(event) ? event['pathParameters'] : undefined
  return isJsonObject(pathParameters) ? pathParameters['connection'] : undefined
}

/** The route does not exist. The message has the method, but not the path, which may hold a secret. It lists the routes of the function. */
export class UnknownRouteError extends TokenwellError {
  readonly code = 'unknown_route'

  constructor(routes: readonly Pick<Route, 'method' | 'path'>[], method: string) {
    const knownRoutes = routes.map(routeKeyOf).join(', ')
    const sentMethod = /^[A-Z]{1,10}$/.test(method) ? method : 'of the request'
    super(`There is no route with the method ${sentMethod} and this path. This function serves: ${knownRoutes}.`)
  }

  override get publicMessage(): string {
    return this.message
  }
}

/** Reserved before the function's time-out, so that Tokenwell can still answer with an error. */
const answerReserveMilliseconds = 500

/**
 * The time when an HTTP function must answer, in milliseconds since the epoch.
 * @param context Lambda's context, which tells how long the function may run
 * @param longestMilliseconds how long the caller waits
 */
export function deadlineOf(
  context: Pick<Context, 'getRemainingTimeInMillis'>,
  now: number,
  longestMilliseconds: number,
): number {
  return now + Math.min(longestMilliseconds, context.getRemainingTimeInMillis() - answerReserveMilliseconds)
}
