import type { AssertionMoment, SentAssertion } from '../../signing/assertion.ts'
import { commonParameters, scopeText } from './common-parameters.ts'
import type { GrantForm, GrantParameters } from './grant-form.ts'
import type { JwtBearerKey } from './grant-key.ts'

/** RFC 7523 section 2.1: a signed JWT is the grant. Some servers read scope and resource from its claims. */
export async function jwtBearerForm(
  { grant: { assertionParameters }, maker }: JwtBearerKey,
  parameters: GrantParameters,
  moment: AssertionMoment,
): Promise<GrantForm> {
  const { scope, resource } = parameters
  const claims = {
    ...(assertionParameters.scope && claimOf('scope', scope, assertionParameters.scope, scopeText(parameters))),
    ...(assertionParameters.resource &&
      claimOf('resource', resource, assertionParameters.resource, resource.join(' '))),
  }
  const inForm = {
    ...parameters,
    ...(assertionParameters.scope && { scope: [] }),
    ...(assertionParameters.resource && { resource: [] }),
  }
  const { assertion: signed, ...sent } = await maker.make(moment, { ...claims, ...parameters.claims })
  return {
    parameters: [['assertion', signed], ...commonParameters(inForm)],
    secrets: [signed],
    assertions: [{ ...sent, claims: withoutRequested(sent.claims, parameters) }],
  }
}

/** The claims that a log may hold. A claim of a request may name a user. */
function withoutRequested(signed: SentAssertion['claims'], { claims = {} }: GrantParameters): SentAssertion['claims'] {
  return Object.fromEntries(Object.entries(signed).filter(([name]) => !Object.hasOwn(claims, name)))
}

/** No claim where the request has no value. */
function claimOf(
  name: string,
  values: readonly string[],
  form: 'text' | 'list',
  text: string,
): Record<string, unknown> {
  if (values.length === 0) return {}
  return { [name]: form === 'list' ? values : text }
}
