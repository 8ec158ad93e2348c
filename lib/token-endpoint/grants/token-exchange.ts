import type { ExchangedToken } from '../../configuration/connection.ts'
import type { Secret } from '../../secret/secret.ts'
import { type AssertionMoment, type SentAssertion, signAssertion } from '../../signing/assertion.ts'
import type { Signer } from '../../signing/signer.ts'
import { commonParameters } from './common-parameters.ts'
import type { FormParameters, GrantForm, GrantParameters } from './grant-form.ts'
import type { TokenExchangeKey } from './grant-key.ts'

/** RFC 8693 section 2.1: the token of a subject, and perhaps that of an actor, is the grant. `requested_token_type` is a further parameter. */
export async function tokenExchangeForm(
  { grant, subjectSigner, actorSigner }: TokenExchangeKey,
  parameters: GrantParameters,
  moment: () => AssertionMoment,
): Promise<GrantForm> {
  const subject = await tokenForm('subject_token', grant.subject, subjectSigner, moment)
  const actor = await tokenForm('actor_token', grant.actor, actorSigner, moment)
  return {
    parameters: [...subject.parameters, ...actor.parameters, ...commonParameters(parameters)],
    secrets: [...subject.secrets, ...actor.secrets],
    assertions: [...subject.assertions, ...actor.assertions],
  }
}

interface TokenForm {
  readonly parameters: FormParameters
  readonly secrets: readonly Secret[]
  readonly assertions: readonly SentAssertion[]
}

/** One token with its type. Each attempt signs a new one. */
async function tokenForm(
  name: 'subject_token' | 'actor_token',
  token: ExchangedToken | undefined,
  signer: Signer | undefined,
  moment: () => AssertionMoment,
): Promise<TokenForm> {
  if (!token?.assertion || !signer) return { parameters: [], secrets: [], assertions: [] }
  const { assertion, ...sent } = await signAssertion(token.assertion, signer, moment())
  return {
    parameters: [[name, assertion], ...typeParameter(name, token.type)],
    secrets: [assertion],
    assertions: [sent],
  }
}

function typeParameter(name: string, type: string | undefined): FormParameters {
  return type === undefined ? [] : [[`${name}_type`, type]]
}
