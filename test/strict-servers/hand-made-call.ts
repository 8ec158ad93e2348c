import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import { Agent, request } from 'undici'
import { isJsonObject, type JsonObject, parseJson } from '../../lib/base/decoding.ts'
import type { StrictServer } from '../support/servers/strict-server.ts'

/** The time of every test here, in seconds. */
export const now = 1_800_000_000
export const clock = { now: () => now * 1000 }

/** RSA keys of the client, and those of somebody else. */
export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** A call with a JWT that is made by hand. A member that is undefined is left out. */
export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH'
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Sent as JSON, unless it is a text. */
  readonly body?: unknown
  readonly header?: JsonObject
  readonly claims?: JsonObject
  readonly key?: KeyObject
  /** The scheme before the JWT. Bearer by default. */
  readonly scheme?: string
  /** Changes the signed JWT. */
  readonly changed?: (jwt: string) => string
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly body: JsonObject
}

/** Sends the call with its changes. A header `Authorization` replaces the one with the JWT. */
export async function callByHand(server: StrictServer, call: Call, changes: Call = {}): Promise<Answer> {
  const {
    method = 'GET',
    path = '/',
    scheme = 'Bearer',
    body,
    key,
    changed = (jwt: string) => jwt,
  } = { ...call, ...changes }
  const signed =
    key && changed(await sign({ ...call.header, ...changes.header }, { ...call.claims, ...changes.claims }, key))
  const headers = withoutUndefined({
    ...(signed !== undefined && { authorization: `${scheme} ${signed}` }),
    ...call.headers,
    ...changes.headers,
  })
  const dispatcher = new Agent({ connect: { ca: server.certificate.caCertificate } })
  try {
    const answer = await request(`${server.origin}${path}`, {
      method,
      headers,
      dispatcher,
      body: body === undefined || typeof body === 'string' ? (body ?? null) : JSON.stringify(body),
    })
    const text = await answer.body.text()
    const parsed = parseJson(text)
    return { status: answer.statusCode, headers: answer.headers, text, body: isJsonObject(parsed) ? parsed : {} }
  } finally {
    await dispatcher.close()
  }
}

function sign(header: JsonObject, claims: JsonObject, key: KeyObject): Promise<string> {
  const { alg, ...others } = withoutUndefined(header)
  return new SignJWT(withoutUndefined(claims)).setProtectedHeader({ ...others, alg: String(alg) }).sign(key)
}

function withoutUndefined<Value>(members: Readonly<Record<string, Value | undefined>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(members).filter((entry): entry is [string, Value] => entry[1] !== undefined))
}

/** The same JWT with another claim set that nobody signed. */
export function withClaims(claims: JsonObject): (jwt: string) => string {
  const part = Buffer.from(JSON.stringify(claims)).toString('base64url')
  return (jwt) => jwt.replace(/\.[^.]+\./, `.${part}.`)
}
