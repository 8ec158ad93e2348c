import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { readStrictJson } from '../../lib/adapters/json/strict-json.ts'
import { InvalidRequestError } from '../../lib/admission/admit-request.ts'
import { isJsonObject } from '../../lib/base/decoding.ts'

/** Parameters by name; only `scope` and `resource` have several values. An empty value counts as left out (RFC 6749 section 3.2). */
export type Parameters = ReadonlyMap<string, readonly string[]>

/** Far above any token request; Lambda would let 6 MB through, and a record of the shared cache has room for 400 KB. */
const maximumBodyBytes = 64 * 1024
const severalValues: readonly string[] = ['scope', 'resource']

/** @throws {InvalidRequestError} */
export function readBody({ headers, body, isBase64Encoded }: APIGatewayProxyEventV2): Parameters {
  const bytes = Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8')
  if (bytes.length === 0) return new Map()
  demandSize(bytes.length)
  const text = decode(bytes)
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type === 'application/x-www-form-urlencoded') return readForm('body', text)
  if (type === 'application/json') return readJson(text)
  throw new InvalidRequestError(
    'content-type',
    'must be application/x-www-form-urlencoded or application/json; the body is neither.',
  )
}

function demandSize(bytes: number): void {
  if (bytes > maximumBodyBytes)
    throw new InvalidRequestError(
      'body',
      `is larger than ${maximumBodyBytes / 1024} KiB, more than any token request needs.`,
    )
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InvalidRequestError('body', 'is not UTF-8.')
  }
}

/**
 * A form or query, read strictly: URLSearchParams would turn bytes that are not UTF-8 into other characters.
 * @throws {InvalidRequestError}
 */
export function readForm(place: 'body' | 'query', text: string): Parameters {
  const pairs = text.split('&').filter((pair) => pair !== '')
  return collect(
    pairs.map((pair) => {
      const [name = '', ...value] = pair.split('=')
      return [decodePart(place, name), decodePart(place, value.join('='))]
    }),
    ['resource'],
  )
}

function decodePart(place: string, text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new InvalidRequestError(place, 'has percent-encoded bytes that are not UTF-8.')
  }
}

function readJson(text: string): Parameters {
  const read = readStrictJson(text)
  if ('complaint' in read) throw new InvalidRequestError('body', `is no JSON: ${read.complaint}.`)
  return readMembers(read.value)
}

/**
 * The members of a JSON object: texts, and lists of texts for scope and resource.
 * @throws {InvalidRequestError}
 */
export function readMembers(value: unknown): Parameters {
  if (!isJsonObject(value)) throw new InvalidRequestError('body', 'must be a JSON object of parameters.')
  const members = Object.entries(value).flatMap(([name, member]) =>
    readMember(name, member).map((each) => [name, each] as const),
  )
  // Of texts alone by now: what is nested deeply can't be written as JSON again.
  demandSize(Buffer.byteLength(JSON.stringify(value)))
  return collect(members, severalValues)
}

function readMember(name: string, member: unknown): readonly string[] {
  const values = severalValues.includes(name) && Array.isArray(member) ? member : [member]
  return values.map((each) => {
    if (typeof each === 'string') return each
    if (name === 'minimum_seconds' && typeof each === 'number') return String(each)
    throw new InvalidRequestError(
      printable(name),
      severalValues.includes(name) ? 'must be a text or a list of texts.' : 'must be a text.',
    )
  })
}

function collect(pairs: readonly (readonly [string, string])[], mayRepeat: readonly string[]): Parameters {
  const parameters = new Map<string, string[]>()
  for (const [name, value] of pairs) {
    if (value === '') continue
    const known = parameters.get(name)
    if (known && !mayRepeat.includes(name))
      throw new InvalidRequestError(printable(name), 'stands twice, and only resource may (RFC 6749 section 3.2).')
    if (known) known.push(value)
    else parameters.set(name, [value])
  }
  return parameters
}

/** RFC 6749 appendix A: what a parameter's name is made of. */
export function isParameterName(name: string): boolean {
  return /^[\w.-]{1,128}$/.test(name)
}

function printable(name: string): string {
  return isParameterName(name) ? name : 'a parameter'
}
