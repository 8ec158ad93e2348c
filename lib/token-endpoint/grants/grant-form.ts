import type { CallersToken } from '../../access-token/callers-token.ts'
import type { Secret } from '../../secret/secret.ts'
import type { AssertionMoment, SentAssertion } from '../../signing/assertion.ts'

/** The parameters of a token request other than the client's credentials. */
export interface GrantParameters {
  readonly scope: readonly string[]
  /** Between two scopes in a text, where it is no blank. */
  readonly scopeSeparator?: string
  readonly resource: readonly string[]
  readonly audience?: string
  readonly username?: string
  readonly password?: Secret
  /** Claims of the grant's assertion. */
  readonly claims?: Readonly<Record<string, string>>
  /** The caller's tokens, each with its type. */
  readonly subjectToken?: CallersToken
  readonly actorToken?: CallersToken
  readonly further: Readonly<Record<string, string>>
}

/** Names and values in the body of a token request, in their order. */
export type FormParameters = readonly (readonly [name: string, value: Secret | string])[]

/** One for each JWT of a grant, which has at most two. */
export type AssertionMoments = readonly [AssertionMoment, AssertionMoment]

/** What the grant adds to the body of a token request. Valid for one attempt. */
export interface GrantForm {
  readonly parameters: FormParameters
  /** Secrets that a server might repeat when it quotes the request. */
  readonly secrets: readonly Secret[]
  /** The JWTs that Tokenwell signed for the grant, in their order. */
  readonly assertions: readonly SentAssertion[]
}
