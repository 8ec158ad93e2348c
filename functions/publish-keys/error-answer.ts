import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'

const errors = {
  400: { error: 'invalid_request' },
  404: { error: 'invalid_request' },
  500: { error: 'server_error' },
  503: { error: 'temporarily_unavailable', retryAfterSeconds: 5 },
} as const satisfies Record<number, { readonly error: string; readonly retryAfterSeconds?: number }>

/** In the form of all our errors. No one on the way keeps it. */
export function errorAnswer(
  statusCode: keyof typeof errors,
  description: string,
  requestId: string,
): APIGatewayProxyStructuredResultV2 {
  const { error, ...more } = errors[statusCode]
  return {
    statusCode,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...('retryAfterSeconds' in more && { 'retry-after': String(more.retryAfterSeconds) }),
    },
    body: JSON.stringify({ error, error_description: description, request_id: requestId }),
  }
}
