import type { AssertionMoment } from '../../signing/assertion.ts'
import { clientCredentialsForm } from './client-credentials.ts'
import type { GrantForm, GrantKey, GrantParameters } from './grant-form.ts'
import { jwtBearerForm } from './jwt-bearer.ts'
import { passwordForm } from './password.ts'

export async function createGrantForm(
  key: GrantKey,
  parameters: GrantParameters,
  moment: AssertionMoment,
): Promise<GrantForm> {
  if ('signer' in key) return await jwtBearerForm(key.grant, key.signer, parameters, moment)
  return key.grant.type === 'password' ? passwordForm(parameters) : clientCredentialsForm(parameters)
}
