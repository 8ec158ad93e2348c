import { createHash } from 'node:crypto'
import type { APIGatewayProxyEventHeaders, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { PublicJwk } from '../../lib/signing/public-jwk.ts'

/** How long whoever is answered may go by the answer: no longer than a key is published before it signs. */
const maximumAgeSeconds = 300

/**
 * A JWK set (RFC 7517 section 5), or that it is still the one that the caller has.
 * @param headers by their names in lower case
 */
export function keySetAnswer(
  keys: readonly PublicJwk[],
  { accept = '', 'if-none-match': known = '' }: APIGatewayProxyEventHeaders,
): APIGatewayProxyStructuredResultV2 {
  const body = JSON.stringify({ keys })
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  const headers = { 'cache-control': `public, max-age=${maximumAgeSeconds}`, etag, vary: 'accept' }
  if (isAmong(etag, known)) return { statusCode: 304, headers }
  return { statusCode: 200, headers: { ...headers, 'content-type': typeFor(accept) }, body }
}

/** RFC 7517 section 8.5.2 names a type of its own, which not every reader of JSON takes: only who asks for it gets it. */
function typeFor(accept: string): string {
  const ownType = 'application/jwk-set+json'
  return accept.toLowerCase().includes(ownType) ? ownType : 'application/json'
}

/** RFC 9110 section 13.1.2: weak comparison. */
function isAmong(etag: string, ifNoneMatch: string): boolean {
  return ifNoneMatch.split(',').some((each) => [etag, '*'].includes(each.trim().replace(/^W\//, '')))
}
