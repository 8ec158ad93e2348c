import type { ResolvedAuthorizationServer } from '../configuration/connection.ts'
import { TimedOutError, UnreachableError, UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'

const timeouts = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']
const untrusted = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]

/** What undici and node:tls throw, as an error of ours. Of the original only its code is kept: it may hold the request. */
export function describeFailure(error: unknown, { id, tls }: ResolvedAuthorizationServer): Error {
  if (error instanceof UnreadableAnswerError) return error
  const { code, name } = error as { readonly code?: unknown; readonly name?: string }
  const server = `The token endpoint of ${id}`

  if (name === 'TimeoutError' || timeouts.includes(String(code)))
    return new TimedOutError(`${server} didn't answer in time; see connectionTimeout and receiveTimeout.`)
  if (untrusted.includes(String(code)))
    return new UnreachableError(
      tls.trustStore
        ? `${server} shows a certificate that no CA of the trust store ${tls.trustStore} has signed (${code}).`
        : `${server} shows a certificate of an unknown CA (${code}): name its CA bundle by trustStoreRef on the ssl element.`,
      { isLasting: true },
    )
  if (code === 'CERT_HAS_EXPIRED')
    return new UnreachableError(`${server} shows a certificate that has expired.`, { isLasting: true })
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return new UnreachableError(`${server} shows a certificate for another host name than tokenEndpoint's.`, {
      isLasting: true,
    })
  if (name === 'HTTPParserError' || /^UND_ERR_(HEADERS_OVERFLOW|RES_|RESPONSE)/.test(String(code)))
    return new UnreadableAnswerError(`${server} doesn't speak HTTP/1.1 as it should.`)
  return new UnreachableError(`${server} can't be reached (${typeof code === 'string' ? code : 'no reason given'}).`)
}
