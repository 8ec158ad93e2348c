import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { InvalidRequestError } from '../../lib/admission/admit-request.ts'
import { unexpectedReason } from '../../lib/base/tokenwell-error.ts'
import { isElementId } from '../../lib/configuration/value-syntax.ts'
import { CacheUnavailableError } from '../../lib/fleet/circuit-breaker.ts'
import { pathInStage, readHttpEvent } from '../../lib/http-interface/http-event.ts'
import type { PublicationStore } from '../../lib/key-lifecycle/publication-store.ts'
import { keysOf } from '../../lib/key-lifecycle/published-keys.ts'
import type { Log } from '../../lib/log/log-event.ts'
import { errorAnswer } from './error-answer.ts'
import { keySetAnswer } from './key-set-answer.ts'

const waitMilliseconds = 2_000

export interface HandlerParts {
  readonly publicationStore: Pick<PublicationStore, 'readRemembered'>
  readonly now: () => number
  readonly log: Log
}

type HttpHandler = (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2>

/** Answers HTTP API events of payload format 2.0, from anybody: `GET /jwt/{jwtBuilder}/jwk`. Never throws. */
export function createHandler({ publicationStore, now, log }: HandlerParts): HttpHandler {
  return async (given, { awsRequestId: requestId }) => {
    try {
      const event = readHttpEvent(given)
      const jwtBuilder = readJwtBuilder(event)
      if (jwtBuilder === undefined)
        return errorAnswer(404, 'There is no such route; there is GET /jwt/{jwtBuilder}/jwk.', requestId)
      const publication = await publicationStore.readRemembered(jwtBuilder, now() + waitMilliseconds)
      if (publication?.kind === 'shared_key')
        return errorAnswer(400, `It signs by ${publication.algorithm}, with a key that can't be published.`, requestId)
      const keys = keysOf(publication, now()).map(({ jwk }) => jwk)
      if (keys.length > 0) return keySetAnswer(keys, event.headers)
      return errorAnswer(404, 'There is no such jwtBuilder, or no key of it yet.', requestId)
    } catch (error) {
      if (error instanceof InvalidRequestError) return errorAnswer(400, error.message, requestId)
      if (error instanceof CacheUnavailableError) {
        log({ event: 'request_failed', code: 'cache', status: 503, reason: error.message, requestId })
        return errorAnswer(503, "The published keys can't be read at the moment.", requestId)
      }
      log({ event: 'request_failed', code: 'unexpected', status: 500, reason: unexpectedReason(error), requestId })
      return errorAnswer(500, 'Something went wrong here. Its operator finds the reason in the log.', requestId)
    }
  }
}

function readJwtBuilder(event: APIGatewayProxyEventV2): string | undefined {
  const [, jwtBuilder = ''] = /^\/jwt\/([^/]+)\/jwk$/.exec(pathInStage(event)) ?? []
  return event.requestContext.http.method === 'GET' && isElementId(jwtBuilder) ? jwtBuilder : undefined
}
