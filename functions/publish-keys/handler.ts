import { createHash } from 'node:crypto'
import type { Context } from 'aws-lambda'
import type { OfferedRequests } from '../../lib/admission/offered-requests.ts'
import type { PublicApplication } from '../../lib/application/application.ts'
import { TokenwellError } from '../../lib/base/tokenwell-error.ts'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import { tokenExchange } from '../../lib/configuration/grant-type.ts'
import { isElementId } from '../../lib/configuration/value-syntax.ts'
import { CacheUnavailableError } from '../../lib/fleet/circuit-breaker.ts'
import type { KeySetAnswer } from '../../lib/http-interface/answers.ts'
import { errorResponse } from '../../lib/http-interface/error-response.ts'
import type { HttpEvent, HttpResponse } from '../../lib/http-interface/http-event.ts'
import { createHttpFunction, UnknownRouteError } from '../../lib/http-interface/http-function.ts'
import { type DiscoveryRoute, discoveryResponse, discoveryRoutes } from '../../lib/http-interface/server-metadata.ts'
import { keysOf, type Publication } from '../../lib/key-lifecycle/published-keys.ts'
import type { Log } from '../../lib/log/log-event.ts'
import type { PublicJwk } from '../../lib/signing/public-jwk.ts'

/** The limit for reading a publication. */
const readMilliseconds = 2_000
/** How long a verifier may keep an answer. It must not be longer than a key is published before it signs. */
const maximumAgeSeconds = 300

/** What the token endpoints of all connections together take. */
const everyRequest: OfferedRequests = { grantTypes: ['client_credentials', 'password', tokenExchange] }

interface HandlerDependencies {
  readonly application: PublicApplication
  readonly deployment: Pick<Deployment, 'publicUrl'>
  readonly now: () => number
  readonly log: Log
}

/**
 * Answers `GET /jwt/{jwtBuilder}/jwk` with the public keys of a jwtBuilder. Where the deployment sends it requests for the description of
 * a connection, it answers them alike for every name: it can't read elements. Needs no authentication.
 */
export function createHandler({ application, deployment: { publicUrl }, now, log }: HandlerDependencies) {
  const routes = [
    { method: 'GET', path: '/jwt/{jwtBuilder}/jwk', answer: showKeys },
    ...discoveryRoutes(publicUrl).map((route) => ({
      method: 'GET',
      path: route.path,
      answer: (event: HttpEvent) => describe(route, event),
    })),
  ]
  const answerHttp = createHttpFunction({ routes, isPublic: true, log })

  return async function answerPublicly(event: unknown, context: Context): Promise<HttpResponse> {
    // Public keys are for everybody, so it does not matter which alias was invoked.
    return await answerHttp(event, context, { kind: 'http' })
  }

  async function showKeys(event: HttpEvent, { awsRequestId: requestId }: Context): Promise<HttpResponse> {
    const { jwtBuilder = '' } = event.pathParameters
    if (!isElementId(jwtBuilder)) throw new UnknownRouteError(routes, 'GET')
    const publication = await read(jwtBuilder)
    if (publication?.kind === 'shared_key') return refusal(400, sharedKey(jwtBuilder, publication.algorithm), requestId)
    if (!publication) return refusal(404, noKeys(jwtBuilder), requestId)
    const keys = keysOf(publication, now()).map(({ jwk }) => jwk)
    return keySetResponse(keys, event.headers)
  }

  async function describe(route: DiscoveryRoute, event: HttpEvent): Promise<HttpResponse> {
    return discoveryResponse(route, event, { publicUrl, offered: everyRequest, isForEverybody: true })
  }

  /** @throws {KeysUnavailableError} */
  async function read(jwtBuilder: string): Promise<Publication | undefined> {
    try {
      return await application.readPublishedKeys(jwtBuilder, now() + readMilliseconds)
    } catch (error) {
      throw error instanceof CacheUnavailableError ? new KeysUnavailableError(error.reason) : error
    }
  }
}

/** The publication cannot be read at the moment. */
class KeysUnavailableError extends TokenwellError {
  readonly code = 'cache'

  override get publicMessage(): string {
    return 'The published keys cannot be read at the moment.'
  }

  override get isPassing(): boolean {
    return true
  }
}

function sharedKey(jwtBuilder: string, algorithm: string): string {
  return `The jwtBuilder ${jwtBuilder} signs with a shared secret key (${algorithm}), so it has no public key.`
}

function noKeys(jwtBuilder: string): string {
  return `No keys are published for the jwtBuilder ${jwtBuilder}. It does not exist, or it has no key yet.`
}

function refusal(status: 400 | 404, description: string, requestId: string): HttpResponse {
  return errorResponse({ status, error: 'invalid_request', description }, requestId)
}

/**
 * A JWK set (RFC 7517 section 5), or a 304 if the caller's copy is still valid. If all keys were withdrawn, the set is empty: a
 * verifier that gets an error would continue with its old set. No cache may keep an empty set, because the next key signs at once.
 */
function keySetResponse(
  keys: readonly PublicJwk[],
  { accept = '', 'if-none-match': known = '' }: HttpEvent['headers'],
): HttpResponse {
  const answer: KeySetAnswer = { keys }
  const body = JSON.stringify(answer)
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  const cacheControl = keys.length > 0 ? `public, max-age=${maximumAgeSeconds}` : 'no-store'
  const headers = { 'cache-control': cacheControl, etag, vary: 'accept' }
  if (isAmong(etag, known)) return { statusCode: 304, headers }
  return { statusCode: 200, headers: { ...headers, 'content-type': contentTypeFor(accept) }, body }
}

/** RFC 7517 section 8.5.2 defines a content type for JWK sets. Not every JSON client accepts it, so a caller must ask for it. */
function contentTypeFor(accept: string): string {
  const ownType = 'application/jwk-set+json'
  return accept.toLowerCase().includes(ownType) ? ownType : 'application/json'
}

/** RFC 9110 section 13.1.2: weak comparison. */
function isAmong(etag: string, ifNoneMatch: string): boolean {
  return ifNoneMatch.split(',').some((each) => [etag, '*'].includes(each.trim().replace(/^W\//, '')))
}
