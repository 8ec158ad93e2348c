import { InvalidRequestError } from '../admission/admit-request.ts'

type Headers = Readonly<Record<string, string | undefined>>

/** RFC 9110 section 7.6.1; `expect` is answered by who receives the body, and that is API Gateway. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Set anew for the call, or no business of the API's: how the caller proved itself to AWS, and the way that it came. */
const ofTheWayHere: ReadonlySet<string> = new Set([
  'amz-sdk-invocation-id',
  'amz-sdk-request',
  'authorization',
  'content-length',
  'forwarded',
  'host',
  'via',
  'x-amz-algorithm',
  'x-amz-cf-id',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-region-set',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
  'x-amzn-trace-id',
])

/**
 * The headers of a request that go on to the API.
 * @param cookies as payload format 2.0 has them, apart from the other headers
 * @throws {InvalidRequestError} where one can't be sent
 */
export function forwardedHeaders(headers: Headers, cookies: readonly string[] = []): Record<string, string> {
  const forwarded = {
    ...endToEnd(headers, isOfTheWayHere),
    ...(cookies.length > 0 && { cookie: cookies.join('; ') }),
  }
  for (const [name, value] of Object.entries(forwarded)) demandFit(name, value)
  return forwarded
}

/**
 * The headers of an answer that go back to the caller; how long its body is says who hands it over. Nobody but us says that
 * an error is ours.
 */
export function returnedHeaders<T extends string | readonly string[]>(
  headers: Readonly<Record<string, T>>,
): Record<string, T> {
  const isSpoofed = /\btokenwell\b/i.test(String(headers['proxy-status'] ?? ''))
  return endToEnd(headers, (name) => name === 'content-length' || (name === 'proxy-status' && isSpoofed))
}

/** All but those that `isLeftOut` names, those of one hop, and those that `connection` lists. */
function endToEnd<T>(
  headers: Readonly<Record<string, T | undefined>>,
  isLeftOut: (name: string) => boolean,
): Record<string, T> {
  const listed = new Set(
    String(headerOf(headers, 'connection') ?? '')
      .toLowerCase()
      .split(/[\s,]+/)
      .filter(Boolean),
  )
  const kept = Object.entries(headers).flatMap(([given, value]): [string, T][] => {
    const name = given.toLowerCase()
    return value === undefined || hopByHop.has(name) || listed.has(name) || isLeftOut(name) ? [] : [[name, value]]
  })
  return Object.fromEntries(kept)
}

function isOfTheWayHere(name: string): boolean {
  return ofTheWayHere.has(name) || name.startsWith('x-forwarded-')
}

function headerOf<T>(headers: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1]
}

/** RFC 9110 sections 5.1 and 5.5. */
function demandFit(name: string, value: string): void {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new InvalidRequestError('a header', 'has a name that is none.')
  if (!/^[\t\x20-\x7e\u0080-\u00ff]*$/.test(value))
    throw new InvalidRequestError(
      `the header ${name}`,
      'holds a line break, or another character that no header can hold.',
    )
}
