import { clientCredentialsForm } from './client-credentials.ts'
import type { AssertionMoments, GrantForm, GrantParameters } from './grant-form.ts'
import type { GrantKey } from './grant-key.ts'
import { jwtBearerForm } from './jwt-bearer.ts'
import { passwordForm } from './password.ts'

export async function createGrantForm(
  key: GrantKey,
  parameters: GrantParameters,
  moments: AssertionMoments,
): Promise<GrantForm> {
  if ('maker' in key) return await jwtBearerForm(key, parameters, moments[0])
  if ('subject' in key.grant) {
    // Few connections exchange tokens. The first one loads the module, which keeps a cold start short.
    const exchange = await import('./token-exchange.ts')
    return await exchange.tokenExchangeForm({ ...key, grant: key.grant }, parameters, moments)
  }
  return key.grant.type === 'password' ? passwordForm(parameters) : clientCredentialsForm(parameters)
}
