import type { AnswerPlace } from '../configuration/auth-token.ts'
import type { Secret } from '../secret/secret.ts'
import { printableWords, type Saying } from './servers-words.ts'

/** What Tokenwell sent to the server. It must not come back in a text that others can read. */
export interface SentSecrets {
  /** The client's secrets and the user's password: no text may repeat them. */
  readonly secrets: readonly Secret[]
  /** The user's names: only the caller that sent them may read them. */
  readonly names: readonly Secret[]
}

/** What the reader of an answer has to know. */
export interface AnswerContext {
  /** The id of the `authorizationServer` element. */
  readonly server: string
  /** The values of `token_type` that this server uses for bearer tokens, besides `Bearer`. */
  readonly tokenTypes?: readonly string[] | undefined
  /** Where the answer for an `authToken` has the token. Absent for OAuth 2.0. */
  readonly tokenPlace?: AnswerPlace | undefined
  readonly sent: SentSecrets
  /** Whether the request names a user: the server's words may repeat that name. */
  readonly isForUser: boolean
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Other callers get this failure too, so that it must not name the user. */
export function serverSays(sayings: readonly Saying[], { sent, isForUser }: AnswerContext): string {
  const words = isForUser ? undefined : printableWords(sayings, sent.secrets)
  if (words === undefined) return ''
  const fullStop = /[.!?]$/.test(words) ? '' : '.'
  return ` The server says: ${words}${fullStop}`
}
