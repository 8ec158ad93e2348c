import { InvalidRequestError } from '../admission/admit-request.ts'
import { isElementId } from '../configuration/value-syntax.ts'

/** What is read of an event of an HTTP API, payload format 2.0. */
export interface HttpEvent {
  readonly version: '2.0'
  readonly rawPath: string
  readonly rawQueryString: string
  readonly headers: Record<string, string>
  readonly cookies: string[]
  readonly pathParameters: Record<string, string>
  readonly body: string
  readonly isBase64Encoded: boolean
  readonly requestContext: { readonly stage: string; readonly http: { readonly method: string; readonly path: string } }
}

type Members = Readonly<Record<string, unknown>>

/**
 * The same event, of which all that is read is what it should be. An HTTP API sends no other; who may invoke a function by
 * himself may send anything, and that is his mistake, not ours.
 * @throws {InvalidRequestError} naming the member
 */
export function readHttpEvent<Event>(event: Event): Event & HttpEvent {
  const { version, rawPath, rawQueryString, headers, cookies, pathParameters, body, isBase64Encoded, requestContext } =
    readObject('it', event)
  const context = readObject('requestContext', requestContext)
  const http = readObject('requestContext.http', context['http'])
  if (version !== '2.0') throw unfit('version', '2.0')
  if (typeof (isBase64Encoded ?? false) !== 'boolean') throw unfit('isBase64Encoded', 'true or false')
  return {
    ...event,
    version,
    rawPath: readText('rawPath', rawPath),
    rawQueryString: readText('rawQueryString', rawQueryString ?? ''),
    headers: readTexts('headers', headers ?? {}),
    cookies: Object.values(readTexts('cookies', cookies ?? [])),
    pathParameters: readTexts('pathParameters', pathParameters ?? {}),
    body: readText('body', body ?? ''),
    isBase64Encoded: isBase64Encoded === true,
    requestContext: {
      ...context,
      stage: readText('requestContext.stage', context['stage']),
      http: {
        ...http,
        method: readName('requestContext.http.method', http['method']),
        path: readName('requestContext.http.path', http['path']),
      },
    },
  }
}

/** Those that there are: one that is null or undefined is left out. */
function readTexts(member: string, value: unknown): Record<string, string> {
  const there = Object.entries(readObject(member, value)).filter(([, each]) => (each ?? undefined) !== undefined)
  return Object.fromEntries(there.map(([name, each]) => [name, readText(`each of ${member}`, each)]))
}

function readObject(member: string, value: unknown): Members {
  if (typeof value !== 'object' || value === null) throw unfit(member, 'an object')
  return value as Members
}

function readText(member: string, value: unknown): string {
  if (typeof value !== 'string') throw unfit(member, 'a text')
  return value
}

function readName(member: string, value: unknown): string {
  if (value === '') throw unfit(member, 'a text that is not empty')
  return readText(member, value)
}

function unfit(member: string, what: string): InvalidRequestError {
  return new InvalidRequestError('event', `is none of an HTTP API, payload format 2.0: ${member} must be ${what}.`)
}

/** Of an HTTP API's event, payload format 2.0, what says where it goes. */
interface RoutedEvent {
  readonly rawPath: string
  readonly requestContext: { readonly stage: string }
}

/** The path of a request without its stage: one that has a name begins each path. */
export function pathInStage({ rawPath, requestContext: { stage } }: RoutedEvent): string {
  return rawPath.startsWith(`/${stage}/`) ? rawPath.slice(stage.length + 1) : rawPath
}

/**
 * The connection that a request names.
 * @throws {InvalidRequestError}
 */
export function namedConnection(connection: string | undefined): string {
  if (connection === undefined) throw new InvalidRequestError('connection', 'is missing: name the connection.')
  if (!isElementId(connection))
    throw new InvalidRequestError('connection', 'must be the name of a connection: letters, digits, _ . and -.')
  return connection
}
