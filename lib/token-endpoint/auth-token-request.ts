import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import type { AuthTokenBody, AuthTokenGrant } from '../configuration/auth-token.ts'
import { readLeaf } from '../configuration/body-leaf.ts'
import { Secret } from '../secret/secret.ts'
import { type AssertionMoment, type SentAssertion, signAssertion } from '../signing/assertion.ts'
import type { ClientKey, RequestKeys } from './request-keys.ts'
import type { SignedRequest } from './signed-request.ts'
import type { WrittenRequest } from './token-endpoint.ts'

/** What a request can have at the places that the element names. */
interface Credentials {
  readonly user?: string
  readonly password?: Secret
  readonly assertion?: Secret
  readonly sent?: SentAssertion
}

/** Writes one request of an `authToken`, with a new assertion if it has one. */
export async function writeAuthTokenRequest(
  { request }: AuthTokenGrant,
  { client, headers: added, body: bodySecrets }: RequestKeys,
  moment: AssertionMoment,
): Promise<{ readonly signed: SignedRequest; readonly written: WrittenRequest }> {
  const credentials = await credentialsOf(client, moment)
  const { method, body } = request
  const ofCredentials = headersOf(request, credentials)
  const written: WrittenRequest = {
    ...(method !== 'POST' && { method }),
    headers: { ...added?.headers, ...ofCredentials },
    ...(body && bodyOf(body, credentials, bodySecrets ?? new Map())),
  }
  const secrets = [
    credentials.password,
    credentials.assertion,
    ...Object.values(ofCredentials),
    ...(bodySecrets?.values() ?? []),
  ].filter((each) => each !== undefined)
  const { sent } = credentials
  return {
    signed: {
      client: {
        parameters: [],
        headers: ofCredentials,
        secrets,
        sendsClientId: false,
        ...(sent && { assertion: sent }),
      },
      grant: { parameters: [], secrets: [], assertions: [] },
      ...(added && { added }),
    },
    written,
  }
}

async function credentialsOf(client: ClientKey, moment: AssertionMoment): Promise<Credentials> {
  if ('signer' in client) {
    const { assertion, ...sent } = await signAssertion(client.way.assertion, client.signer, moment)
    return { assertion, sent }
  }
  return 'password' in client ? { user: client.user, password: client.password } : {}
}

function headersOf(
  { credentials: place }: AuthTokenGrant['request'],
  { user = '', password, assertion }: Credentials,
): Readonly<Record<string, Secret>> {
  if (place.in === 'named_headers' && password)
    return { [place.userHeader]: new Secret(user), [place.passwordHeader]: password }
  if (place.in !== 'header') return {}
  if (assertion) return { [place.header]: new Secret(`Bearer ${assertion.reveal()}`) }
  // RFC 7617 section 2.
  const pair = Buffer.from(`${user}:${password?.reveal() ?? ''}`).toString('base64')
  return { [place.header]: new Secret(`Basic ${pair}`) }
}

function bodyOf(
  { format, structure }: AuthTokenBody,
  credentials: Credentials,
  secrets: ReadonlyMap<string, Secret>,
): Pick<WrittenRequest, 'form' | 'json'> {
  const filled = fill(structure, credentials, secrets) as JsonObject
  if (format === 'JSON') return { json: new Secret(JSON.stringify(filled)) }
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(filled)) form.append(name, String(value))
  return { form: new Secret(form.toString()) }
}

/** The structure with a text for each of its leaves. It must go nowhere but into the body. */
function fill(value: unknown, credentials: Credentials, secrets: ReadonlyMap<string, Secret>): unknown {
  const leaf = readLeaf(value)
  if (leaf === 'user') return credentials.user ?? ''
  if (leaf === 'password' || leaf === 'assertion') return credentials[leaf]?.reveal() ?? ''
  if (leaf) return secrets.get(leaf.secret)?.reveal() ?? ''
  if (Array.isArray(value)) return value.map((each) => fill(each, credentials, secrets))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fill(each, credentials, secrets)]))
}
