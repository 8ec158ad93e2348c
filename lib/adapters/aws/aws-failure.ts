/** The kind of failure of an AWS call. */
export type AwsFailure =
  /** The resource does not exist. */
  | 'missing'
  /** No right to the resource or its key, or no valid credentials. */
  | 'denied'
  /** The service throttles the request. */
  | 'throttled'
  /** No usable answer. It is not known whether the service did what was asked. */
  | 'unreachable'

/**
 * Classifies an error by name, code and status, never by its message.
 * @returns undefined for an error that no operator can fix, because it is a defect of Tokenwell. Throw it on.
 */
export function classifyAwsFailure(error: unknown): AwsFailure | undefined {
  if (!(error instanceof Error)) return undefined
  const { name, code = '', $metadata, $retryable, $response, $fault } = error as FailureOfSdk
  const status = $metadata?.httpStatusCode ?? 0

  if (status === 429 || $retryable?.throttling === true || throttled.has(name)) return 'throttled'
  if (denied.has(name)) return 'denied'
  if (missing.has(name)) return 'missing'
  if (status === 401 || status === 403) return 'denied'
  if (status >= 500 || unreachable.has(name) || unreachable.has(code)) return 'unreachable'
  // The service answered, but the SDK could not read the answer. Such an error quotes the answer, which may hold a secret, so it is
  // never thrown on.
  if ($response !== undefined && $fault === undefined) return 'unreachable'
  return undefined
}

/** A name of the failure for an operator. It repeats nothing that was sent or received. */
export function reasonOfAwsFailure(error: unknown): string {
  const { name, code, $metadata } = error as FailureOfSdk
  if (name !== 'Error' && name !== 'SyntaxError') return name
  return code ?? ($metadata?.httpStatusCode ? `HTTP ${$metadata.httpStatusCode}` : name)
}

/** The members that identify an error of the SDK or of Node.js. */
interface FailureOfSdk extends Error {
  readonly code?: string
  readonly $fault?: 'client' | 'server'
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $retryable?: { readonly throttling?: boolean }
  readonly $response?: unknown
}

// The first and the last list contain the errors that the SDK itself retries (@smithy/core, service-error-classification). The SDK
// does not export these lists.
const throttled = new Set([
  'BandwidthLimitExceeded',
  'EC2ThrottledException',
  'LimitExceededException',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'TransactionInProgressException',
])

const denied = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'CredentialsProviderError',
  'DecryptionFailure',
  'ExpiredToken',
  'ExpiredTokenException',
  'IncompleteSignature',
  'IncompleteSignatureException',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'InvalidKeyId',
  'InvalidSignatureException',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'NotAuthorized',
  'OptInRequired',
  'RequestExpired',
  'SignatureDoesNotMatch',
  'TokenProviderError',
  'UnrecognizedClientException',
])

const missing = new Set(['ParameterNotFound', 'ResourceNotFoundException'])

const unreachable = new Set([
  'AbortError',
  'RequestTimeout',
  'RequestTimeoutException',
  'TimeoutError',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'EPROTO',
  'ETIMEDOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])
