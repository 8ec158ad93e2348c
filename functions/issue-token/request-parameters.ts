import { readStrictJson } from '../../lib/adapters/json/strict-json.ts'
import { InvalidRequestError } from '../../lib/admission/invalid-request.ts'
import { grantParameters } from '../../lib/admission/parameter-names.ts'
import { decodeUtf8, isJsonObject, maximumJsonDepth } from '../../lib/base/decoding.ts'
import { authorizationDetails } from '../../lib/configuration/authorization-details.ts'
import { foldedParameterName, isParameterName } from '../../lib/configuration/value-syntax.ts'
import { bodyOf, type HttpEvent, hasLostBytes } from '../../lib/http-interface/http-event.ts'

/** Values by name. Only `scope` and `resource` have several values. An empty value counts as left out (RFC 6749 section 3.2). */
export type Parameters = ReadonlyMap<string, readonly string[]>

/** Far above any token request. Limits the work for unknown names, since each is compared with all known names. */
const maximumNames = 100
/** Far above any token request. Lambda would let 6 MB through. */
const maximumBodyBytes = 64 * 1024
const severalValues: readonly string[] = ['scope', 'resource']
const singleLined: readonly string[] = grantParameters

/**
 * The parameters of a form or a JSON object.
 * @throws {InvalidRequestError}
 */
export function readBody(event: HttpEvent): Parameters {
  // The parsers of middy merge a parameter that comes twice, replace bytes that are not UTF-8, and keep the last of two equal names.
  const bytes = bodyOf(event)
  if (bytes.length === 0) return new Map()
  demandSize(bytes.length)
  const text = decodeUtf8(bytes)
  if (text === undefined || hasLostBytes(event))
    throw new InvalidRequestError('body', 'is not UTF-8, or is compressed. Send UTF-8 without Content-Encoding.')
  const type = (event.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type === 'application/x-www-form-urlencoded') return readForm('body', text)
  if (type === 'application/json') return readJson(text)
  throw new InvalidRequestError('content-type', 'must be application/x-www-form-urlencoded or application/json.')
}

function demandSize(bytes: number): void {
  if (bytes > maximumBodyBytes)
    throw new InvalidRequestError(
      'body',
      `is larger than ${maximumBodyBytes / 1024} KiB, the limit for a token request.`,
    )
}

/**
 * A form or query, read strictly: URLSearchParams would turn bytes that are not UTF-8 into other characters.
 * @throws {InvalidRequestError}
 */
export function readForm(place: 'body' | 'query', text: string): Parameters {
  const written = text.split('&').filter((pair) => pair !== '')
  const pairs = written.map((pair) => {
    const [name = '', ...value] = pair.split('=')
    return [decodePart(place, name), decodePart(place, value.join('='))] as const
  })
  // Without this check a JSON body would be read as a name without a value, and silently ignored.
  if (place === 'body' && /^[\s\ufeff]*["{[]/.test(pairs[0]?.[0] ?? ''))
    throw new InvalidRequestError('body', 'looks like JSON. Send it with the header content-type: application/json.')
  return collect(pairs, ['resource'])
}

function decodePart(place: string, text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new InvalidRequestError(place, 'contains percent-encoded bytes that are not UTF-8.')
  }
}

function readJson(text: string): Parameters {
  const read = readStrictJson(text)
  if ('complaint' in read) throw new InvalidRequestError('body', `is not valid JSON: ${read.complaint}.`)
  return readMembers(read.value)
}

/**
 * The members of a JSON object: texts, and lists of texts for scope and resource.
 * @throws {InvalidRequestError}
 */
export function readMembers(value: unknown): Parameters {
  if (!isJsonObject(value)) throw new InvalidRequestError('body', 'must be a JSON object that contains the parameters.')
  const members = Object.entries(value).flatMap(([name, member]) =>
    readMember(name, member).map((each) => [name, each] as const),
  )
  // After `readMember`, because `JSON.stringify` fails for deeply nested values. All values are strings or lists now.
  demandSize(Buffer.byteLength(JSON.stringify(value)))
  return collect(members, severalValues)
}

/** Deeper values are refused later. This limit only keeps `JSON.stringify` from failing. */
function isShallow(value: unknown, levels = maximumJsonDepth): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((member) => isShallow(member, levels - 1))
}

function readMember(name: string, member: unknown): readonly string[] {
  // RFC 9396 defines it as JSON, which a form holds as text.
  if (name === authorizationDetails && Array.isArray(member) && isShallow(member)) return [JSON.stringify(member)]
  const values = severalValues.includes(name) && Array.isArray(member) ? member : [member]
  return values.map((each) => {
    if (typeof each === 'string') return each
    if (name === 'minimum_seconds' && typeof each === 'number') return String(each)
    throw new InvalidRequestError(
      printable(name),
      severalValues.includes(name)
        ? 'must be a string or a list of strings.'
        : name === authorizationDetails
          ? 'must be a list of objects, or a string that holds such a list.'
          : 'must be a string.',
    )
  })
}

function collect(pairs: readonly (readonly [string, string])[], mayRepeat: readonly string[]): Parameters {
  const parameters = new Map<string, string[]>()
  for (const [name, value] of pairs) {
    if (name === '' && value === '') continue
    demandName(name)
    if (value === '') continue
    demandText(name, value)
    const known = parameters.get(name)
    if (known && !mayRepeat.includes(name))
      throw new InvalidRequestError(
        printable(name),
        'is sent more than once. Only resource may be repeated (RFC 6749 section 3.2).',
      )
    if (known) known.push(value)
    else parameters.set(name, [value])
  }
  if (parameters.size > maximumNames)
    throw new InvalidRequestError('request', `has more than ${maximumNames} parameters, the limit for a token request.`)
  return parameters
}

function demandName(name: string): void {
  if (!isParameterName(name))
    throw new InvalidRequestError('a parameter', 'has a name that is not valid. Use only letters, digits, _ . and -.')
}

/** RFC 6749 appendix A: UNICODECHARNOCRLF. Parameters that only the authorization server understands may have line breaks. */
function demandText(name: string, value: string): void {
  const isText = value.isWellFormed() && !/[^\P{Cc}\t\r\n\x80-\x9f]|[\ufffe\uffff]/u.test(value)
  const hasLines = /[\r\n]/.test(value) && singleLined.includes(name)
  if (!isText) throw new InvalidRequestError(name, 'contains a control character or is not valid Unicode.')
  if (hasLines) throw new InvalidRequestError(name, 'contains a line break.')
}

function printable(name: string): string {
  return isParameterName(name) ? name : 'a parameter'
}

/**
 * Rejects two names that an authorization server may read as one: the server would choose which of them counts.
 * @throws {InvalidRequestError}
 */
export function demandNoTwins(names: readonly string[]): void {
  const byFolded = Map.groupBy(names, foldedParameterName)
  for (const [first = '', second] of byFolded.values())
    if (second !== undefined)
      throw new InvalidRequestError(
        first,
        `and ${second} are the same name for some authorization servers. Send only one of them.`,
      )
}
