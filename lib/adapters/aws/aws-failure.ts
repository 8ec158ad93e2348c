/** What an AWS call's failure means to whoever made it. */
export type AwsFailure =
  /** There is no such thing. */
  | 'missing'
  /** No right to it or to its key, or no credentials that hold. */
  | 'denied'
  /** The service asks to wait. */
  | 'throttled'
  /** No answer, or none that can be used: whether it was done isn't known. */
  | 'unreachable'

/**
 * By name, code and status, never by the message.
 * @returns undefined for what no operator can mend: a mistake of ours, to be thrown on
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
  // No error that the service sent, yet there was an answer: it wasn't understood. Such an error quotes what it couldn't
  // read, a secret even, and is thrown on in no case.
  if ($response !== undefined && $fault === undefined) return 'unreachable'
  return undefined
}

/** What names a failure to an operator and repeats nothing that was sent or received. */
export function reasonOfAwsFailure(error: unknown): string {
  const { name, code, $metadata } = error as FailureOfSdk
  if (name !== 'Error' && name !== 'SyntaxError') return name
  return code ?? ($metadata?.httpStatusCode ? `HTTP ${$metadata.httpStatusCode}` : name)
}

/** The members by which the SDK tells its failures, and Node.js its own. */
interface FailureOfSdk extends Error {
  readonly code?: string
  readonly $fault?: 'client' | 'server'
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $retryable?: { readonly throttling?: boolean }
  readonly $response?: unknown
}

// The first and the last list hold what the SDK itself asks again for (@smithy/core, service-error-classification), which
// it exports to nobody who doesn't depend on that package.
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
