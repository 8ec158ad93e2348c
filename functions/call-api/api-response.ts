import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { type ApiAnswer, ApiCallError, maximumPayloadBytes } from '../../lib/api-call/api-endpoint.ts'
import { returnedHeaders } from '../../lib/api-call/forwarded-headers.ts'

/**
 * The API's answer as an HTTP API hands it on, payload format 2.0: unchanged, but for headers of one hop.
 * @throws {ApiCallError} where it is larger than Lambda hands over
 */
export function apiResponse({ status, headers, body }: ApiAnswer): APIGatewayProxyStructuredResultV2 {
  const { 'set-cookie': cookies, ...others } = returnedHeaders(headers)
  const response = {
    statusCode: status,
    headers: Object.fromEntries(Object.entries(others).map(([name, value]) => [name, [value].flat().join(', ')])),
    ...(cookies !== undefined && { cookies: [cookies].flat() }),
    ...encode(body),
  }
  const size = Buffer.byteLength(JSON.stringify(response))
  if (size > maximumPayloadBytes)
    throw new ApiCallError(
      'http_response_body_size',
      `The API's answer takes ${size} bytes, and Lambda hands over ${maximumPayloadBytes} (6 MB) at most: ask it for less at a time.`,
      { wasSent: true },
    )
  return response
}

/** As text where it is text, byte for byte, and no longer so than in base64; anything else in base64. */
function encode(body: Uint8Array): Pick<APIGatewayProxyStructuredResultV2, 'body' | 'isBase64Encoded'> {
  const text = readText(body)
  const base64Length = 4 * Math.ceil(body.length / 3)
  if (text !== undefined && Buffer.byteLength(JSON.stringify(text)) <= base64Length + '""'.length)
    return { body: text, isBase64Encoded: false }
  return { body: Buffer.from(body).toString('base64'), isBase64Encoded: true }
}

function readText(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return undefined
  }
}
