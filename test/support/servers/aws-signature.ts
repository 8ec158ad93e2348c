import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/*
 * Signature Version 4, as a service checks it:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */

export interface SignedAwsRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What the `Authorization` header says. */
export interface AwsSignature {
  readonly accessKeyId: string
  /** As in `20261201`. */
  readonly date: string
  readonly region: string
  readonly service: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** Milliseconds since the epoch. */
  readonly signedAt: number
}

const form =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/

/** Undefined if the request has no signature of version 4 in its header. */
export function readAwsSignature({ headers }: SignedAwsRequest): AwsSignature | undefined {
  const [, accessKeyId, date, region, service, names, signature] = form.exec(headers.authorization ?? '') ?? []
  if (!accessKeyId || !date || !region || !service || !names || !signature) return undefined
  return { accessKeyId, date, region, service, signedHeaders: names.split(';'), signature, signedAt: instant(headers) }
}

/** Whether the secret key signed exactly this request, and with it the headers that must be signed. */
export function isSignedBy(secretAccessKey: string, request: SignedAwsRequest, given: AwsSignature): boolean {
  const { date, region, service, signedHeaders, signature } = given
  const demanded = [
    'host',
    'x-amz-date',
    ...('x-amz-security-token' in request.headers ? ['x-amz-security-token'] : []),
  ]
  if (!demanded.every((name) => signedHeaders.includes(name))) return false
  const text = [
    'AWS4-HMAC-SHA256',
    request.headers['x-amz-date'],
    `${date}/${region}/${service}/aws4_request`,
    sha256(canonical(request, signedHeaders)),
  ].join('\n')
  const key = [date, region, service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`))
  return timingSafeEqual(hmac(key, text), Buffer.from(signature, 'hex'))
}

/** The services of these servers have one path and no query. */
function canonical({ method, url, headers, body }: SignedAwsRequest, signedHeaders: readonly string[]): string {
  const lines = signedHeaders.map(
    (name) =>
      `${name}:${String(headers[name] ?? '')
        .trim()
        .replace(/ +/g, ' ')}\n`,
  )
  return [method, url, '', lines.join(''), signedHeaders.join(';'), sha256(body)].join('\n')
}

function instant(headers: IncomingHttpHeaders): number {
  const compact = String(headers['x-amz-date'])
  return Date.parse(compact.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
