import type { CallersToken } from '../../access-token/callers-token.ts'
import type { ExchangedToken } from '../../configuration/connection.ts'
import type { Secret } from '../../secret/secret.ts'
import type { AssertionMaker, AssertionMoment, SentAssertion } from '../../signing/assertion.ts'
import { commonParameters } from './common-parameters.ts'
import type { AssertionMoments, FormParameters, GrantForm, GrantParameters } from './grant-form.ts'
import type { TokenExchangeKey } from './grant-key.ts'

/** RFC 8693 section 2.1: the token of a subject, and perhaps that of an actor, is the grant. `requested_token_type` is a further parameter. */
export async function tokenExchangeForm(
  { grant, subjectMaker, actorMaker }: TokenExchangeKey,
  parameters: GrantParameters,
  [ofSubject, ofActor]: AssertionMoments,
): Promise<GrantForm> {
  const { subjectToken, actorToken } = parameters
  const subject = subjectToken
    ? callersTokenForm('subject_token', subjectToken)
    : await madeTokenForm('subject_token', grant.subject, subjectMaker, ofSubject)
  const actor = actorToken
    ? callersTokenForm('actor_token', actorToken)
    : await madeTokenForm('actor_token', grant.actor, actorMaker, ofActor)
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

type TokenName = 'subject_token' | 'actor_token'

function callersTokenForm(name: TokenName, { token, type }: CallersToken): TokenForm {
  return { parameters: [[name, token], ...typeParameter(name, type)], secrets: [token], assertions: [] }
}

/** Each attempt has a new JWT. */
async function madeTokenForm(
  name: TokenName,
  token: ExchangedToken | undefined,
  maker: AssertionMaker | undefined,
  moment: AssertionMoment,
): Promise<TokenForm> {
  if (!token || !maker) return { parameters: [], secrets: [], assertions: [] }
  const { assertion, ...sent } = await maker.make(moment)
  return {
    parameters: [[name, assertion], ...typeParameter(name, token.type)],
    secrets: [assertion],
    assertions: [sent],
  }
}

function typeParameter(name: TokenName, type: string | undefined): FormParameters {
  return type === undefined ? [] : [[`${name}_type`, type]]
}
