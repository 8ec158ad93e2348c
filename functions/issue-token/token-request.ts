import { isTokenId, type TokenRequest } from '../../lib/access-token/token.ts'
import { readStrictJson } from '../../lib/adapters/json/strict-json.ts'
import { InvalidRequestError } from '../../lib/admission/admit-request.ts'
import { decodeUtf8, isJsonObject } from '../../lib/base/decoding.ts'
import { isResourceIndicator, isScopeToken } from '../../lib/configuration/value-syntax.ts'
import { bodyOf, type HttpEvent, namedConnection } from '../../lib/http-interface/http-event.ts'
import { Secret } from '../../lib/secret/secret.ts'

/** By name; only `scope` and `resource` have several values. An empty value counts as left out (RFC 6749 section 3.2). */
type Parameters = ReadonlyMap<string, readonly string[]>

/** Far above any token request. Lambda would let 6 MB through, and a record of the shared cache holds 400 KB at most. */
const maximumBodyBytes = 64 * 1024
/** The original ignores `client_id`; the others would authenticate the client a second time. */
const droppedParameters: readonly string[] = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']
const ownParameters: readonly string[] = ['grant_type', 'scope', 'resource', 'audience', 'username', 'password']
const queryParameters: readonly string[] = ['minimum_seconds', 'rejected_token_id']
const severalValues: readonly string[] = ['scope', 'resource']

/**
 * `POST /connections/{connection}/token`: a token request as form or JSON, and our own parameters in the query.
 * @throws {InvalidRequestError}
 */
export function readHttpTokenRequest(event: HttpEvent): TokenRequest {
  const query = readQuery(event, queryParameters)
  const body = readBody(event)
  for (const name of queryParameters)
    if (body.has(name)) throw new InvalidRequestError(name, 'belongs in the query, not in the body.')
  return createTokenRequest(readConnection(event), body, query)
}

/**
 * Direct invocation: one object with the connection and all parameters.
 * @throws {InvalidRequestError}
 */
export function readDirectTokenRequest(event: unknown): TokenRequest {
  const members = readMembers(event)
  const isOwn = (name: string) => name === 'connection' || queryParameters.includes(name)
  const body = new Map([...members].filter(([name]) => !isOwn(name)))
  return createTokenRequest(namedConnection(members.get('connection')?.[0]), body, members)
}

/**
 * The connection and the token of `DELETE /connections/{connection}/token?token_id=`.
 * @throws {InvalidRequestError}
 */
export function readRejection(event: HttpEvent): {
  readonly connection: string
  readonly tokenId: string
} {
  const tokenId = readTokenId('token_id', readQuery(event, ['token_id']))
  if (tokenId === undefined)
    throw new InvalidRequestError('token_id', 'is missing: name the token to drop in the query.')
  return { connection: readConnection(event), tokenId }
}

function readConnection({ pathParameters }: HttpEvent): string {
  return namedConnection(pathParameters['connection'])
}

function readQuery({ rawQueryString }: HttpEvent, allowed: readonly string[]): Parameters {
  const query = readForm('query', rawQueryString)
  for (const name of query.keys())
    if (!allowed.includes(name))
      throw new InvalidRequestError(
        'query',
        `can hold only ${allowed.join(' and ')}; send other parameters in the body.`,
      )
  return query
}

function createTokenRequest(connection: string, body: Parameters, query: Parameters): TokenRequest {
  const one = (name: string) => body.get(name)?.[0]
  const [grantType, audience, username, password] = ['grant_type', 'audience', 'username', 'password'].map(one)
  const scope = readScope(body)
  const resource = readResource(body)
  const minimumSeconds = readMinimumSeconds(query)
  const rejectedTokenId = readTokenId('rejected_token_id', query)
  return {
    connection,
    ...(grantType !== undefined && { grantType }),
    ...(scope && { scope }),
    ...(resource && { resource }),
    ...(audience !== undefined && { audience }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: new Secret(password) }),
    further: readFurther(body),
    ...(minimumSeconds !== undefined && { minimumSeconds }),
    ...(rejectedTokenId !== undefined && { rejectedTokenId }),
  }
}

function readScope(body: Parameters): readonly string[] | undefined {
  const scope = body
    .get('scope')
    ?.flatMap((part) => part.split(' '))
    .filter(Boolean)
  if (scope && !scope.every(isScopeToken))
    throw new InvalidRequestError(
      'scope',
      'must be printable ASCII without quotation mark and backslash, separated by blanks.',
    )
  return scope?.length ? scope : undefined
}

function readResource(body: Parameters): readonly string[] | undefined {
  const resource = body.get('resource')
  if (resource && !resource.every(isResourceIndicator))
    throw new InvalidRequestError('resource', 'must be an absolute URI without a fragment.')
  return resource
}

function readFurther(body: Parameters): Readonly<Record<string, string>> {
  const further = [...body].filter(([name]) => !ownParameters.includes(name) && !droppedParameters.includes(name))
  if (!further.every(([name]) => isParameterName(name)))
    throw new InvalidRequestError('a parameter', 'has a name with other characters than letters, digits, _ . and -.')
  return Object.fromEntries(further.map(([name, [value = '']]) => [name, value]))
}

function readMinimumSeconds(query: Parameters): number | undefined {
  const text = query.get('minimum_seconds')?.[0]
  if (text !== undefined && !/^\d{1,9}$/.test(text))
    throw new InvalidRequestError('minimum_seconds', 'must be a whole number of seconds.')
  return text === undefined ? undefined : Number(text)
}

function readTokenId(name: string, query: Parameters): string | undefined {
  const tokenId = query.get(name)?.[0]
  if (tokenId !== undefined && !isTokenId(tokenId))
    throw new InvalidRequestError(name, 'must be the token_id of an answer.')
  return tokenId
}

/** @throws {InvalidRequestError} */
function readBody(event: HttpEvent): Parameters {
  const bytes = bodyOf(event)
  if (bytes.length === 0) return new Map()
  demandSize(bytes.length)
  const text = decodeUtf8(bytes)
  if (text === undefined) throw new InvalidRequestError('body', 'is not UTF-8.')
  const type = (event.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
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

/**
 * A form or query, read strictly: URLSearchParams would turn bytes that are not UTF-8 into other characters.
 * @throws {InvalidRequestError}
 */
function readForm(place: 'body' | 'query', text: string): Parameters {
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
function readMembers(value: unknown): Parameters {
  if (!isJsonObject(value)) throw new InvalidRequestError('body', 'must be a JSON object of parameters.')
  const members = Object.entries(value).flatMap(([name, member]) =>
    readMember(name, member).map((each) => [name, each] as const),
  )
  // Only texts by now: a deeply nested value could not be written as JSON again.
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

/** RFC 6749 appendix A: the characters of a parameter's name. */
function isParameterName(name: string): boolean {
  return /^[\w.-]{1,128}$/.test(name)
}

function printable(name: string): string {
  return isParameterName(name) ? name : 'a parameter'
}
