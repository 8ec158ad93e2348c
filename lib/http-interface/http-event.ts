import { InvalidRequestError } from '../admission/invalid-request.ts'
import { isElementId } from '../configuration/value-syntax.ts'
import type { Entry } from './entry.ts'

/** The members of an HTTP API event, payload format 2.0, that the functions use. */
export interface HttpEvent {
  /** The alias that was invoked. The event itself can't say it. */
  readonly entry: Entry
  /** Decoded. It begins with the stage of the HTTP API if that has a name. */
  readonly rawPath: string
  /** The part of the path before the route: a named stage of the HTTP API, or the base path of a custom domain. May be empty. */
  readonly basePath: string
  /** Method and path of the route that API Gateway matched, or `$default`. */
  readonly routeKey: string
  readonly rawQueryString: string
  /** The names are in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly cookies: readonly string[]
  readonly pathParameters: Readonly<Record<string, string>>
  readonly body: string
  readonly isBase64Encoded: boolean
  readonly requestContext: {
    readonly stage: string
    /** The host that the caller asked, as API Gateway knows it: a custom domain, or `<apiId>.execute-api...`. */
    readonly domainName?: string
    readonly apiId?: string
    readonly http: { readonly method: string; readonly path: string }
    readonly authorizer?: unknown
  }
}

/** The answer of an HTTP function, payload format 2.0. */
export interface HttpResponse {
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly cookies?: string[]
  readonly body?: string
  readonly isBase64Encoded?: boolean
}

type Members = Readonly<Record<string, unknown>>

/**
 * Reads an event. An HTTP API always sends a valid one. A caller that invokes the function directly can send anything, which is
 * the caller's mistake and not a fault of Tokenwell.
 * @throws {InvalidRequestError} with the name of the member
 */
export function readHttpEvent(event: unknown, entry: Entry): HttpEvent {
  const {
    version,
    rawPath,
    routeKey,
    rawQueryString,
    headers,
    cookies,
    pathParameters,
    body,
    isBase64Encoded,
    requestContext,
  } = readObject('the event', event)
  // An event of an Application Load Balancer or a REST API has no version, or 1.0.
  if (version !== '2.0') throw unfit('version', '2.0 (events of load balancers and REST APIs are not supported)')
  const { domainName, apiId, ...context } = readObject('requestContext', requestContext)
  const http = readObject('requestContext.http', context['http'])
  const path = readText('rawPath', rawPath)
  const stage = readText('requestContext.stage', context['stage'])
  if (typeof (isBase64Encoded ?? false) !== 'boolean') throw unfit('isBase64Encoded', 'true or false')
  return {
    entry,
    rawPath: path,
    basePath: stagePath(path, stage),
    routeKey: readText('routeKey', routeKey ?? ''),
    rawQueryString: readText('rawQueryString', rawQueryString ?? ''),
    headers: inLowerCase(readTexts('headers', headers ?? {})),
    cookies: Object.values(readTexts('cookies', cookies ?? [])),
    pathParameters: readTexts('pathParameters', pathParameters ?? {}),
    body: readText('body', body ?? ''),
    isBase64Encoded: isBase64Encoded === true,
    requestContext: {
      ...context,
      stage,
      ...readTexts('requestContext', { domainName, apiId }),
      http: {
        method: readName('requestContext.http.method', http['method']),
        path: readName('requestContext.http.path', http['path']),
      },
    },
  }
}

/** A null or undefined value counts as left out. */
function readTexts(member: string, value: unknown): Record<string, string> {
  const given = Object.entries(readObject(member, value)).filter(([, each]) => (each ?? undefined) !== undefined)
  return Object.fromEntries(given.map(([name, each]) => [name, readText(`each value in ${member}`, each)]))
}

/** An HTTP API sends names in lower case. A direct invocation may not. */
function inLowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

function readObject(member: string, value: unknown): Members {
  if (typeof value !== 'object' || value === null) throw unfit(member, 'an object')
  return value as Members
}

function readText(member: string, value: unknown): string {
  if (typeof value !== 'string') throw unfit(member, 'a string')
  return value
}

function readName(member: string, value: unknown): string {
  if (value === '') throw unfit(member, 'a string that is not empty')
  return readText(member, value)
}

function unfit(member: string, what: string): InvalidRequestError {
  return new InvalidRequestError(
    'event',
    `is not an event of an HTTP API in payload format 2.0: ${member} must be ${what}.`,
  )
}

/** The named stage of the HTTP API at the beginning of a path, such as `/prod`. An empty string if the stage has no name. */
function stagePath(rawPath: string, stage: string): string {
  return /^[\w-]+$/.test(stage) && rawPath.startsWith(`/${stage}/`) ? `/${stage}` : ''
}

/**
 * The connection that a request names.
 * @throws {InvalidRequestError}
 */
export function namedConnection(connection: string | undefined): string {
  if (connection === undefined)
    throw new InvalidRequestError('connection', 'is missing. Send the name of a connection.')
  if (!isElementId(connection))
    throw new InvalidRequestError('connection', 'must be the name of a connection: letters, digits, _ . and -.')
  return connection
}

/**
 * Whether bytes of the body were lost on the way. API Gateway passes on a body of a text type as text, with U+FFFD for bytes that
 * are not UTF-8. If the caller sent U+FFFD itself, the body has the announced length.
 */
export function hasLostBytes({ headers, body, isBase64Encoded }: HttpEvent): boolean {
  if (isBase64Encoded || body === '') return false
  if (!/^(identity)?$/i.test((headers['content-encoding'] ?? '').trim())) return true
  return body.includes('\ufffd') && headers['content-length'] !== String(Buffer.byteLength(body))
}

/** The bytes of a request's body. Empty if there is no body. */
export function bodyOf({ body, isBase64Encoded }: HttpEvent): Buffer {
  return Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
}
