import { Secret } from '../secret/secret.ts'
import type { Token } from '../token/token.ts'
import type { RecordName } from './record-name.ts'
import { UnreadableTokenError } from './unreadable-token-error.ts'

/** A token as the fleet shares it: with the generation that it belongs to, and what it was asked for. */
export interface SharedToken extends Token {
  readonly generation: number
  /** Absent where it can't be asked for again: nobody has the user's password. */
  readonly asked?: AskedFor
}

/** What a token request held: enough to make it again. Never a user or password. */
export interface AskedFor {
  readonly scope?: readonly string[]
  readonly resource?: readonly string[]
  readonly audience?: string
  readonly further: Readonly<Record<string, string>>
}

/** For the cipher alone: it holds the token. */
export function writeSharedToken({ accessToken, ...token }: SharedToken): string {
  return JSON.stringify({ ...token, accessToken: accessToken.reveal() })
}

/** @throws {UnreadableTokenError} where it holds no token of that record, as this version writes them */
export function readSharedToken(text: string, { group }: RecordName): SharedToken {
  const token = JSON.parse(text) as Readonly<Record<string, unknown>>
  const { id, connection, accessToken, asked, issuedAt, refreshAt, usableUntil, expiresAt, generation } = token
  const isRead =
    connection === group &&
    [id, accessToken].every((each) => typeof each === 'string') &&
    [issuedAt, refreshAt, usableUntil, expiresAt, generation].every((each) => typeof each === 'number') &&
    (asked === undefined || (typeof asked === 'object' && asked !== null))
  if (!isRead) throw new UnreadableTokenError('it is none that this version of Tokenwell writes')
  return { ...(token as unknown as SharedToken), accessToken: new Secret(String(accessToken)) }
}
