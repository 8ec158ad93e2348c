import type { Secret } from '../../secret/secret.ts'
import type { AssertionMoment, SentAssertion } from '../assertion.ts'
import type { GrantKey } from '../request-keys.ts'
import { clientCredentialsForm } from './client-credentials.ts'
import { jwtBearerForm } from './jwt-bearer.ts'
import { passwordForm } from './password.ts'

/** The parameters of a token request other than the client's credentials. */
export interface GrantParameters {
  readonly scope: readonly string[]
  readonly resource: readonly string[]
  readonly audience?: string
  readonly username?: string
  readonly password?: Secret
  readonly further: Readonly<Record<string, string>>
}

/** Names and values in the body of a token request, in their order. */
export type FormParameters = readonly (readonly [name: string, value: Secret | string])[]

/** What the grant adds to the body of a token request. Valid for one attempt. */
export interface GrantForm {
  readonly parameters: FormParameters
  /** Secrets that a server might repeat when it quotes the request. */
  readonly secrets: readonly Secret[]
  /** Present where the grant is an assertion. */
  readonly assertion?: SentAssertion
}

export async function createGrantForm(
  key: GrantKey,
  parameters: GrantParameters,
  moment: AssertionMoment,
): Promise<GrantForm> {
  if ('signer' in key) return await jwtBearerForm(key.grant, key.signer, parameters, moment)
  return key.grant.type === 'password' ? passwordForm(parameters) : clientCredentialsForm(parameters)
}
