import type { RepeatableRequest, Token } from '../access-token/token.ts'
import { isJsonObject, parseJson } from '../base/decoding.ts'
import type { ReadRecord } from '../fleet/fleet-records.ts'
import type { RecordName } from '../fleet/record-store.ts'
import { UnreadableTokenError } from '../fleet/sealing.ts'
import { Secret } from '../secret/secret.ts'

/** A token as the fleet shares it: with its generation and the request that it answers. */
export interface SharedToken extends Token {
  readonly generation: number
  /** Absent where the request can't be repeated: the user's password is not kept. */
  readonly asked?: RepeatableRequest
}

/** The values in clear may be forged: they and the seal must both name the active generation, and the token must not be dropped. */
export function ofActiveGeneration(
  sealed: SharedToken | undefined,
  { record, connection }: ReadRecord,
): SharedToken | undefined {
  const { generation, refreshAt } = record
  if (!sealed || generation !== connection?.generation || generation !== sealed.generation) return undefined
  return { ...sealed, refreshAt: Math.min(refreshAt ?? sealed.refreshAt, sealed.usableUntil) }
}

/** What a lease seals, and the values beside the seal that other instances read without opening it. */
export function sealable(token: SharedToken) {
  const { refreshAt, expiresAt, generation } = token
  return { text: writeSharedToken(token), refreshAt, expiresAt, generation }
}

/** The text to seal. It must go nowhere else: it holds the token in clear. */
export function writeSharedToken({ accessToken, ...token }: SharedToken): Secret {
  return new Secret(JSON.stringify({ ...token, accessToken: accessToken.reveal() }))
}

/** @throws {UnreadableTokenError} where the text isn't a token of that record in the form of this version */
export function readSharedToken(text: Secret, { group }: RecordName): SharedToken {
  const written = parseJson(text.reveal())
  const token = isJsonObject(written) ? written : {}
  const { id, connection, accessToken, issuedTokenType, asked, passedOn } = token
  const { issuedAt, refreshAt, usableUntil, expiresAt, generation } = token
  const isRead =
    connection === group &&
    [id, accessToken].every((each) => typeof each === 'string') &&
    [issuedAt, refreshAt, usableUntil, expiresAt, generation].every((each) => typeof each === 'number') &&
    [asked, passedOn].every((each) => each === undefined || isJsonObject(each)) &&
    (issuedTokenType === undefined || typeof issuedTokenType === 'string')
  if (!isRead)
    throw new UnreadableTokenError(
      'The decrypted text is not a token of this connection, or another version of Tokenwell wrote it. It counts as a miss.',
    )
  return { ...(token as unknown as SharedToken), accessToken: new Secret(String(accessToken)) }
}
