import type { ToldAssertion } from '../log/event-row.ts'
import { Secret } from '../secret/secret.ts'
import { type SentAssertion, thumbprintIn } from '../signing/assertion.ts'
import type { SentSecrets } from './answer-context.ts'
import type { ClientCredentials } from './client-authentication.ts'
import { type ClockReading, compareClocks } from './clock-offset.ts'
import type { GrantForm, GrantParameters } from './grants/grant-form.ts'
import type { RequestHeaders } from './request-headers.ts'
import { readHttpDate } from './token-answer.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'
import type { Refusal } from './token-endpoint-error.ts'

/** A token request that is signed. Valid for one attempt. */
export interface SignedRequest {
  readonly client: ClientCredentials
  readonly grant: GrantForm
  /** Absent where the element adds no headers. */
  readonly added?: RequestHeaders
}

/** What is known of a request that the adapter answered without writing it. */
export const unsigned: SignedRequest = {
  client: { parameters: [], headers: {}, secrets: [], sendsClientId: false },
  grant: { parameters: [], secrets: [], assertions: [] },
}

/** All other claims are left out of the log: the elements may set them to any value. */
export function toldOf({ header, claims }: SentAssertion): ToldAssertion {
  const { alg, kid, typ } = header
  const { iss, sub, aud, iat, exp } = claims
  const certificate = thumbprintIn(header)
  return { alg, kid, typ, ...(certificate !== undefined && { certificate }), iss, sub, aud, iat, exp }
}

/** A server may repeat the user's name without its part after the `@`. Each claim of a request may name a user. */
export function sentSecrets(
  { client, grant, added }: SignedRequest,
  { username = '', claims = {} }: GrantParameters,
): SentSecrets {
  const users = [username, ...Object.values(claims)]
  const names = [...new Set(users.flatMap((user) => [user, user.split('@')[0] ?? '']))].filter((name) => name !== '')
  return {
    secrets: [...client.secrets, ...grant.secrets, ...(added?.secrets ?? [])],
    names: names.map((name) => new Secret(name)),
  }
}

/**
 * Whether a caller would get a JWT that Tokenwell signed for this request: with it, anybody can ask this server for tokens. A caller's own
 * token is not meant.
 */
export function repeatsAssertion(
  { client, grant }: SignedRequest,
  accessToken: Secret,
  members: readonly unknown[],
): boolean {
  const signed = [...(client.assertion ? client.secrets : []), ...(grant.assertions.length > 0 ? grant.secrets : [])]
  const texts = [accessToken.reveal(), ...members.map(String)]
  return signed.some((jwt) => texts.some((text) => text.includes(jwt.reveal())))
}

/** In a shorter credential, equal characters may be a coincidence. */
const leastCredentialLength = 8

/** Whether a caller would get what authenticated the request of an `authToken`. */
export function repeatsCredential(
  { client, added }: SignedRequest,
  accessToken: Secret,
  members: readonly unknown[],
): boolean {
  const texts = [accessToken.reveal(), ...members.map(String)]
  const sent = [...client.secrets, ...(added?.secrets ?? [])].map((secret) => secret.reveal())
  return sent.some((secret) =>
    texts.some((text) => text === secret || (secret.length >= leastCredentialLength && text.includes(secret))),
  )
}

/**
 * What a refusal of the request says about the clocks. Undefined where they are not the reason, and where AWS signed all assertions: a correction
 * would not change their times.
 */
export function clockReadingOf(
  { client, grant }: SignedRequest,
  { date }: TokenEndpointAnswer,
  { error, description }: Refusal,
  now: number,
): ClockReading | undefined {
  const assertions = [...grant.assertions, ...(client.assertion ? [client.assertion] : [])]
  const assertion = assertions.find(({ isSignedByAws }) => !isSignedByAws)
  if (!assertion) return undefined
  return compareClocks(assertion.validity, readHttpDate(date), now, `${error} ${description ?? ''}`)
}
