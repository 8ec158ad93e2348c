import { InvalidRequestError } from '../admission/invalid-request.ts'

type Headers = Readonly<Record<string, string | undefined>>

/** RFC 9110 section 7.6.1. API Gateway receives the body and answers `expect` itself. */
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

/**
 * The caller's credentials and signature for AWS, the route of the request, and headers that are set anew for the call to the API.
 */
const notForwarded: ReadonlySet<string> = new Set([
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
 * The headers of a request that are forwarded to the API.
 * @param cookies separate from the other headers, as in payload format 2.0
 * @throws {InvalidRequestError} if a header can't be sent
 */
export function forwardedHeaders(headers: Headers, cookies: readonly string[] = []): Record<string, string> {
  const forwarded = {
    ...endToEnd(headers, isNotForwarded),
    ...(cookies.length > 0 && { cookie: cookies.join('; ') }),
  }
  for (const [name, value] of Object.entries(forwarded)) demandFit(name, value)
  return forwarded
}

/** All headers except hop-by-hop headers, headers that `connection` lists, and headers that `isLeftOut` selects. */
export function endToEnd<T>(
  headers: Readonly<Record<string, T | undefined>>,
  isLeftOut: (name: string) => boolean,
): Record<string, T> {
  const listed = new Set(allOf(headers, 'connection').toLowerCase().split(/[\s,]/).filter(Boolean))
  const kept = Object.entries(headers).flatMap(([given, value]): [string, T][] => {
    const name = given.toLowerCase()
    return value === undefined || hopByHop.has(name) || listed.has(name) || isLeftOut(name) ? [] : [[name, value]]
  })
  return Object.fromEntries(kept)
}

function isNotForwarded(name: string): boolean {
  return notForwarded.has(name) || name.startsWith('x-forwarded-')
}

/** All values of that name, in upper or lower case, joined to one value (RFC 9110 sections 5.1 and 5.3). */
export function allOf(headers: Readonly<Record<string, unknown>>, name: string): string {
  const found = Object.entries(headers).filter(([given]) => given.toLowerCase() === name)
  return found.map(([, value]) => value).join(',')
}

/** RFC 9110 sections 5.1 and 5.5. */
function demandFit(name: string, value: string): void {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name))
    throw new InvalidRequestError('a header', 'has a name that HTTP does not allow.')
  if (!/^[\t\x20-\x7e\u0080-\u00ff]*$/.test(value))
    throw new InvalidRequestError(
      `the header ${name}`,
      'contains a line break or another character that HTTP does not allow in a header.',
    )
}
