import { generateKeyPairSync, randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { SignJWT } from 'jose'
import { isJsonObject, parseJson } from '../../../lib/base/decoding.ts'
import { plant } from '../output/canary.ts'
import type { ReceivedCall, ScriptedAnswer } from './scripted-api.ts'
import {
  decodeUnverified,
  Refusal,
  type StrictServer,
  type StrictServerOptions,
  startStrictServer,
} from './strict-server.ts'

/*
 * The token server of the example in IBM's page about a JWT of a third party, and the API that takes this JWT. Sources:
 * https://www.ibm.com/docs/en/zos-connect/zos-connect/3.0?topic=jwt-configuring-third-party (the example: URL, user, header)
 * https://www.ibm.com/docs/SS4SVW_3.0.0/securing/requester_third_party_jwt.html (method, places of the credentials and of the JWT)
 * https://www.ibm.com/docs/en/zos-connect/zosconnect/3.0?topic=messages-endpoint-connection (body as text or JSON; 401 without a body)
 *
 * IBM documents the client, not the server. So the test chooses one method, one place of the credentials and one place of the JWT, and
 * the server refuses all others. Names of headers and members are the test's.
 */

/** Where the user and the password are. */
export type Credentials =
  | { readonly in: 'basic'; readonly header?: string }
  | { readonly in: 'body'; readonly form?: 'JSON' | 'form'; readonly user: string; readonly password: string }
  | { readonly in: 'headers'; readonly user: string; readonly password: string }

/** Where the JWT of the answer is. */
export type TokenPlace =
  | { readonly in: 'header'; readonly header: string }
  | { readonly in: 'text' }
  | { readonly in: 'JSON'; readonly path: readonly string[] }

export interface StrictZosConnectTokenServerOptions extends StrictServerOptions {
  readonly method?: 'GET' | 'PUT' | 'POST'
  readonly user?: string
  readonly password?: string
  /** Other users with their passwords. */
  readonly others?: Readonly<Record<string, string>>
  readonly credentials: Credentials
  readonly token: TokenPlace
  /** The life of the JWT. Null for a JWT without `exp`. */
  readonly lifeSeconds?: number | null
  readonly hasJti?: boolean
  /** The header in which the API takes the JWT, and the scheme before it. An empty scheme means the JWT alone. */
  readonly api?: { readonly header: string; readonly scheme: '' | 'Bearer' }
}

export interface StrictZosConnectTokenServer extends StrictServer {
  readonly tokenEndpoint: string
  /** The JWTs that it issued, in order. */
  readonly issued: readonly string[]
  /** From now on the API refuses this JWT. */
  revoke(jwt: string): void
}

const path = '/JWTTokenGenerator/getJwtToken'

function refuse(reason: string, status: number, headers: Record<string, string> = {}): never {
  throw new Refusal(reason, { status, headers, body: '' })
}

export async function startStrictZosConnectTokenServer(
  t: TestContext,
  options: StrictZosConnectTokenServerOptions,
): Promise<StrictZosConnectTokenServer> {
  const { now = Date.now, lifeSeconds = 300, hasJti = false, token: place } = options
  const { header = 'myJWT-header-name', scheme = 'Bearer' } = options.api ?? {}
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issued: string[] = []
  const revoked = new Set<string>()

  async function issue(user: string): Promise<string> {
    const iat = Math.floor(now() / 1000)
    const exp = lifeSeconds === null ? {} : { exp: iat + lifeSeconds }
    // Two JWTs of one second differ, even without a jti.
    const claims = { sub: user, iat, ...exp, number: issued.length, ...(hasJti && { jti: randomUUID() }) }
    const jwt = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'JWT' }).sign(privateKey)
    plant(jwt)
    issued.push(jwt)
    return jwt
  }

  function callApi({ headers }: ReceivedCall): ScriptedAnswer {
    const value = String(headers[header.toLowerCase()] ?? '')
    const prefix = scheme === '' ? '' : `${scheme} `
    const jwt = value.startsWith(prefix) ? value.slice(prefix.length) : ''
    const { claims } = decodeUnverified(jwt) ?? {}
    const isLive = claims?.['exp'] === undefined || Number(claims['exp']) > now() / 1000
    if (!issued.includes(jwt) || revoked.has(jwt) || !isLive)
      refuse(`The header ${header} has no JWT of this server that lives.`, 401, {
        'www-authenticate': 'Bearer error="invalid_token"',
      })
    return { body: { sub: claims?.['sub'] } }
  }

  async function accept(call: ReceivedCall): Promise<ScriptedAnswer> {
    if (call.url !== path) return callApi(call)
    return answerWith(await issue(demandCredentials(call, options)), place)
  }

  const server = await startStrictServer(t, accept, options)
  return {
    ...server,
    tokenEndpoint: `${server.origin}${path}`,
    issued,
    revoke: (jwt) => revoked.add(jwt),
  }
}

interface Given {
  readonly user: unknown
  readonly password: unknown
}

/** The method, and the credentials at their place and at no other place. Returns the user. */
function demandCredentials(call: ReceivedCall, options: StrictZosConnectTokenServerOptions): string {
  const { method = 'POST', user = 'jwtuser', password = 'jwtpassword', others, credentials } = options
  const passwords = new Map(Object.entries({ [user]: password, ...others }))
  for (const each of passwords.values()) plant(each)
  if (call.method !== method) refuse('The method is another.', 405, { allow: method })
  const { header = 'Authorization' } = credentials.in === 'basic' ? credentials : { header: '' }
  if (header !== 'Authorization' && call.headers.authorization !== undefined)
    refuse('Authorization is not expected.', 400)
  if (credentials.in !== 'body' && call.body.length > 0) refuse('A body is not expected.', 400)
  const given = readCredentials(call, credentials)
  if (given.password === undefined || passwords.get(String(given.user)) !== given.password)
    refuse('The user or the password is wrong.', 401, { 'www-authenticate': 'Basic realm="JWTTokenGenerator"' })
  return String(given.user)
}

function readCredentials({ headers, body }: ReceivedCall, credentials: Credentials): Given {
  if (credentials.in === 'basic') return readBasic(headers[(credentials.header ?? 'Authorization').toLowerCase()])
  const { user, password } = credentials
  if (credentials.in === 'headers')
    return { user: headers[user.toLowerCase()], password: headers[password.toLowerCase()] }
  const isForm = credentials.form === 'form'
  const type = isForm ? 'application/x-www-form-urlencoded' : 'application/json'
  if (headers['content-type']?.split(';')[0] !== type) refuse('The Content-Type is another.', 415)
  const text = body.toString()
  const members = isForm ? Object.fromEntries(new URLSearchParams(text)) : parseJson(text)
  if (!isJsonObject(members) || Object.keys(members).sort().join() !== [user, password].sort().join())
    return refuse('The body has other members.', 400)
  return { user: members[user], password: members[password] }
}

function readBasic(value: string | string[] | undefined): Given {
  const [, encoded = ''] = /^Basic (\S+)$/.exec(String(value)) ?? []
  const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? []
  return { user, password }
}

function answerWith(jwt: string, place: TokenPlace): ScriptedAnswer {
  if (place.in === 'header') return { headers: { [place.header]: jwt }, body: '' }
  if (place.in === 'text') return { headers: { 'content-type': 'text/plain' }, body: jwt }
  const body = [...place.path].reverse().reduce<unknown>((inner, name) => ({ [name]: inner }), jwt)
  return { body }
}
