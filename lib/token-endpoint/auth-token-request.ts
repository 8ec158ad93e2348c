import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import type { AuthTokenBody, AuthTokenGrant, AuthTokenResponse } from '../configuration/auth-token.ts'
import { type BodyLeaf, isSecretLeaf, readLeaf } from '../configuration/body-leaf.ts'
import { isHeaderValue } from '../configuration/value-syntax.ts'
import { Secret } from '../secret/secret.ts'
import type { AssertionMoment, SentAssertion } from '../signing/assertion.ts'
import { demandHeaderValue } from '../signing/secret-use.ts'
import type { GrantParameters } from './grants/grant-form.ts'
import type { ClientKey, RequestKeys } from './request-keys.ts'
import type { SignedRequest } from './signed-request.ts'
import type { WrittenRequest } from './token-endpoint.ts'

/** What a request can have at the places that the element names. */
interface Credentials {
  readonly user?: string
  readonly password?: Secret
  readonly passwordSecret?: string
  readonly assertion?: Secret
  readonly sent?: SentAssertion
}

/**
 * Writes one request of an `authToken`, with a new assertion if it has one.
 * @param parameters those of the request, which has a user and a password if the elements leave them to the caller
 * @throws {KeyStoreError} if the password can't be sent in a header of its own
 */
export async function writeAuthTokenRequest(
  { request, response }: AuthTokenGrant,
  { client, headers: added, body: bodySecrets = new Map() }: RequestKeys,
  moment: AssertionMoment,
  parameters: Pick<GrantParameters, 'username' | 'password' | 'further'> = { further: {} },
): Promise<{ readonly signed: SignedRequest; readonly written: WrittenRequest }> {
  const isOfCaller = request.credentialsFrom === 'caller'
  const credentials = isOfCaller ? callersCredentials(parameters) : await credentialsOf(client, moment)
  const { method, body } = request
  const { further } = parameters
  const headers = headersOf(request, credentials)
  const { sent } = credentials
  return {
    signed: {
      client: {
        parameters: [],
        headers,
        secrets: secretsOf(credentials, bodySecrets),
        sendsClientId: false,
        ...(sent && { assertion: sent }),
      },
      grant: { parameters: [], secrets: [], assertions: [] },
      ...(added && { added }),
    },
    written: {
      ...(method !== 'POST' && { method }),
      headers: {
        ...(!wantsJson(response) && { accept: new Secret('*/*') }),
        ...added?.headers,
        ...headersOfParameters(request, further),
        ...headers,
      },
      ...(body && bodyOf(body, { credentials, secrets: bodySecrets, further })),
    },
  }
}

function wantsJson({ token, expiry }: AuthTokenResponse): boolean {
  return token.in === 'json' || expiry?.in === 'json'
}

/** What the request holds that no text may repeat, also in the forms that it has there. */
function secretsOf(credentials: Credentials, bodySecrets: ReadonlyMap<string, Secret>): readonly Secret[] {
  const { user = '', password, assertion } = credentials
  const texts = [password, ...bodySecrets.values()].flatMap((each) => (each ? formsOf(each.reveal()) : []))
  const pair = password ? [basicPair(user, password)] : []
  return [...[...new Set([...texts, ...pair])].map((text) => new Secret(text)), ...(assertion ? [assertion] : [])]
}

function formsOf(text: string): readonly string[] {
  return [text, JSON.stringify(text).slice(1, -1), new URLSearchParams([['', text]]).toString().slice(1)]
}

async function credentialsOf(client: ClientKey, moment: AssertionMoment): Promise<Credentials> {
  if ('maker' in client) {
    const { assertion, ...sent } = await client.maker.make(moment)
    return { assertion, sent }
  }
  if (!('password' in client)) return {}
  const { user, password, way } = client
  return { user, password, passwordSecret: way.passwordSecret }
}

function callersCredentials({ username: user, password }: Pick<GrantParameters, 'username' | 'password'>): Credentials {
  return { ...(user !== undefined && { user }), ...(password && { password }) }
}

function headersOf(
  { credentials: place }: AuthTokenGrant['request'],
  { user = '', password, passwordSecret, assertion }: Credentials,
): Readonly<Record<string, Secret>> {
  if (place.in === 'named_headers' && password) {
    // A caller's own was checked when its request was admitted.
    if (passwordSecret !== undefined) demandHeaderValue(passwordSecret, password)
    return { [place.userHeader]: new Secret(user), [place.passwordHeader]: password }
  }
  if (place.in !== 'header') return {}
  if (assertion) return { [place.header]: new Secret(`Bearer ${assertion.reveal()}`) }
  return password ? { [place.header]: new Secret(`Basic ${basicPair(user, password)}`) } : {}
}

/** A header whose parameter the request does not have is left out. Their values were checked when the request was admitted. */
function headersOfParameters(
  { parameterHeaders = {} }: AuthTokenGrant['request'],
  further: GrantParameters['further'],
): Readonly<Record<string, Secret>> {
  const given = Object.entries(parameterHeaders).flatMap(([header, parameter]) => {
    const value = Object.hasOwn(further, parameter) ? further[parameter] : undefined
    return value !== undefined && isHeaderValue(value) ? [[header, new Secret(value)] as const] : []
  })
  return Object.fromEntries(given)
}

/** RFC 7617 section 2. */
function basicPair(user: string, password: Secret): string {
  return Buffer.from(`${user}:${password.reveal()}`).toString('base64')
}

function bodyOf({ format, structure }: AuthTokenBody, values: BodyValues): Pick<WrittenRequest, 'form' | 'json'> {
  const filled = fill(structure, values) as JsonObject
  if (format === 'JSON') return { json: new Secret(JSON.stringify(filled)) }
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(filled)) form.append(name, String(value))
  return { form: new Secret(form.toString()) }
}

/** What the leaves of a body stand for. */
interface BodyValues {
  readonly credentials: Credentials
  /** By their names. */
  readonly secrets: ReadonlyMap<string, Secret>
  readonly further: GrantParameters['further']
}

/**
 * The structure with a text for each of its leaves. What stands for a parameter that the request does not have is left out: undefined. The
 * structure must go nowhere but into the body.
 */
function fill(value: unknown, values: BodyValues): unknown {
  const leaf = readLeaf(value)
  if (leaf !== undefined) return textOf(leaf, values)
  if (Array.isArray(value)) return value.map((each) => fill(each, values)).filter((each) => each !== undefined)
  if (!isJsonObject(value)) return value
  const filled = Object.entries(value).map(([name, each]) => [name, fill(each, values)] as const)
  return Object.fromEntries(filled.filter(([, each]) => each !== undefined))
}

function textOf(leaf: BodyLeaf, { credentials, secrets, further }: BodyValues): string | undefined {
  if (leaf === 'user') return credentials.user ?? ''
  if (leaf === 'password' || leaf === 'assertion') return credentials[leaf]?.reveal() ?? ''
  if (isSecretLeaf(leaf)) return secrets.get(leaf.secret)?.reveal() ?? ''
  return Object.hasOwn(further, leaf.parameter) ? further[leaf.parameter] : undefined
}
