import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { isJsonObject } from '../../../lib/base/decoding.ts'
import { jwtBearer } from '../../../lib/configuration/grant-type.ts'
import type { ReceivedRequest, ScriptedAnswer } from './scripted-token-endpoint.ts'

/*
 * An authorization server of the grant jwt-bearer (RFC 7523 section 2.1) without client authentication, as Salesforce, Google and
 * Maskinporten have it. It takes exactly what its rules say, refuses each deviation, and takes no assertion twice.
 */

export interface JwtBearerRules {
  /** Where these rules are documented. */
  readonly sources: readonly string[]
  readonly algorithms: readonly string[]
  /** The only value of `aud`, as a text. */
  readonly audience: string
  readonly issuer: string
  /** The `sub`. If it is undefined, a `sub` is refused. */
  readonly subject?: string
  /** The scopes that the client has. They must be a claim, separated by blanks. If it is undefined, a scope is refused. */
  readonly scopes?: readonly string[]
  /** The form of the claim `resource`. If it is undefined, a resource is refused. */
  readonly resource?: 'list'
  /** The longest time from `iat`, or from now without it, to `exp`. */
  readonly longestSeconds: number
  /** How far `iat` may be from the server's clock. Undefined if `iat` is not looked at. */
  readonly issuedWithinSeconds?: number
  readonly demandsKeyId?: boolean
  /** Other claims than those that the rules name. */
  readonly otherClaims: readonly string[]
  /** Members of the answer, beside `access_token` and `token_type`. */
  readonly answer: (scope: string | undefined) => Record<string, unknown>
}

export interface StrictJwtBearer {
  /** The answer to a token request. */
  answerTo(request: ReceivedRequest): ScriptedAnswer
  /** The public keys of the client. */
  register(keys: readonly JsonWebKey[]): void
}

class Refusal extends Error {
  readonly code: string
  readonly status: number
  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}

export function createStrictJwtBearer(rules: JwtBearerRules, now: () => number = Date.now): StrictJwtBearer {
  const keys = new Map<string, JsonWebKey>()
  const used = new Set<string>()
  let issued = 0

  function accept(request: ReceivedRequest): ScriptedAnswer {
    const { header, claims, signed, signature } = readAssertion(readForm(request))
    demandHeader(header, rules)
    demandSignature(header, signed, signature, keys)
    demandClaims(claims, rules)
    demandTimes(claims, rules, now() / 1000)
    // RFC 7523 section 3 rule 7. Maskinporten: "A JWT cannot be reused", with a jti or without.
    const name = typeof claims['jti'] === 'string' ? claims['jti'] : signed
    if (used.has(name)) throw new Refusal('invalid_grant', 'The assertion was used before.')
    used.add(name)
    const scope = typeof claims['scope'] === 'string' ? claims['scope'] : undefined
    return { body: { access_token: `strict-token-${issued++}`, token_type: 'Bearer', ...rules.answer(scope) } }
  }

  return {
    register: (more) => {
      for (const key of more) keys.set(String(key['kid']), key)
    },
    answerTo(request) {
      try {
        return accept(request)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        return { status: error.status, body: { error: error.code, error_description: error.message } }
      }
    },
  }
}

/** RFC 6749 sections 3.2 and 4.5, and RFC 7521 section 4.1. Returns the assertion. */
function readForm({ method, url, headers, form }: ReceivedRequest): string {
  if (method !== 'POST') throw new Refusal('invalid_request', 'Use POST.', 405)
  if (url.includes('?')) throw new Refusal('invalid_request', 'Parameters belong in the body.')
  if (headers['content-type'] !== 'application/x-www-form-urlencoded')
    throw new Refusal('invalid_request', 'The body is not form-encoded.')
  if (headers.authorization !== undefined) throw new Refusal('invalid_request', 'No client authentication is expected.')
  const names = [...form.keys()].sort()
  if (form.get('grant_type') !== jwtBearer) throw new Refusal('unsupported_grant_type', 'The grant type is another.')
  if (names.join() !== 'assertion,grant_type')
    throw new Refusal('invalid_request', `The body has the parameters ${names.join()}.`)
  return form.get('assertion') ?? ''
}

type Members = Readonly<Record<string, unknown>>

function readAssertion(assertion: string) {
  const parts = assertion.split('.')
  const [header, claims] = parts.slice(0, 2).map(readPart)
  const [signedHeader, signedClaims, signature = ''] = parts
  if (parts.length !== 3 || !header || !claims) throw new Refusal('invalid_grant', 'The assertion is not a signed JWT.')
  return { header, claims, signed: `${signedHeader}.${signedClaims}`, signature: Buffer.from(signature, 'base64url') }
}

function readPart(part: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function demandHeader(header: Members, { algorithms, demandsKeyId = false }: JwtBearerRules): void {
  const { alg, typ = 'JWT', kid, ...others } = header
  if (!algorithms.includes(String(alg))) throw new Refusal('invalid_grant', `The algorithm ${alg} is not accepted.`)
  if (typ !== 'JWT') throw new Refusal('invalid_grant', `The type ${typ} is not accepted.`)
  if (demandsKeyId && typeof kid !== 'string') throw new Refusal('invalid_grant', 'The header has no kid.')
  // RFC 7515 section 4.1.11: what is critical and not understood is refused. No other member is documented either.
  if (Object.keys(others).length > 0)
    throw new Refusal('invalid_grant', `The header has ${Object.keys(others).join()}, too.`)
}

function demandSignature(
  { alg, kid }: Members,
  signed: string,
  signature: Buffer,
  keys: ReadonlyMap<string, JsonWebKey>,
): void {
  const registered = kid === undefined ? [...keys.values()] : [keys.get(String(kid))]
  const isRight = registered.some(
    (key) =>
      key !== undefined &&
      verify(
        `sha${String(alg).slice(2)}`,
        Buffer.from(signed),
        { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
        signature,
      ),
  )
  if (!isRight) throw new Refusal('invalid_grant', 'The signature is not that of a registered key.')
}

function demandClaims(claims: Members, rules: JwtBearerRules): void {
  const { issuer, audience, subject, scopes, resource, otherClaims } = rules
  if (claims['iss'] !== issuer) throw new Refusal('invalid_grant', 'The iss is not a client.')
  // A list is refused even with one member, because no example of these servers shows one.
  if (claims['aud'] !== audience) throw new Refusal('invalid_grant', 'The aud is not this server.')
  if (claims['sub'] !== subject) throw new Refusal('invalid_grant', 'The sub is not that of the client.')
  demandScope(claims['scope'], scopes)
  const given = claims['resource']
  if (given !== undefined && !(resource === 'list' && Array.isArray(given)))
    throw new Refusal('invalid_request', 'The resource is not expected, or not a list.')
  const known = ['iss', 'aud', 'sub', 'scope', 'resource', 'exp', ...otherClaims]
  const unknown = Object.keys(claims).filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new Refusal('invalid_request', `The claims ${unknown.join()} are not expected.`)
}

function demandScope(scope: unknown, scopes: readonly string[] | undefined): void {
  if (scopes === undefined && scope === undefined) return
  const isText = typeof scope === 'string' && scope !== ''
  if (!isText || !scope.split(' ').every((each) => scopes?.includes(each)))
    throw new Refusal('invalid_scope', 'The scope is not a text with scopes of this client.')
}

/** @param now in seconds */
function demandTimes({ iat, exp }: Members, rules: JwtBearerRules, now: number): void {
  const { longestSeconds, issuedWithinSeconds } = rules
  if (!Number.isInteger(exp)) throw new Refusal('invalid_grant', 'The exp is missing or not a whole number.')
  const end = Number(exp)
  if (end <= now) throw new Refusal('invalid_grant', 'The assertion has expired.')
  const begin = issuedWithinSeconds === undefined ? now : Number(iat)
  if (issuedWithinSeconds !== undefined && !(Math.abs(begin - now) <= issuedWithinSeconds))
    throw new Refusal('invalid_grant', 'The iat is missing or too far from now.')
  if (end - begin > longestSeconds) throw new Refusal('invalid_grant', 'The assertion lives for too long.')
}
