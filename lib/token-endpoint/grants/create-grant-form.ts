import type { AssertionMoment } from '../../signing/assertion.ts'
import { clientCredentialsForm } from './client-credentials.ts'
import type { GrantForm, GrantParameters } from './grant-form.ts'
import type { GrantKey } from './grant-key.ts'
import { jwtBearerForm } from './jwt-bearer.ts'
import { passwordForm } from './password.ts'

/** @param moment called once for each JWT, so that no two have the same id */
export async function createGrantForm(
  key: GrantKey,
  parameters: GrantParameters,
  moment: () => AssertionMoment,
): Promise<GrantForm> {
  if ('signer' in key) return await jwtBearerForm(key, parameters, moment())
  if ('subject' in key.grant) {
    // Few connections exchange tokens. The first one loads the module, which keeps a cold start short.
    const { tokenExchangeForm } = await import('./token-exchange.ts')
    return await tokenExchangeForm({ ...key, grant: key.grant }, parameters, moment)
  }
  return key.grant.type === 'password' ? passwordForm(parameters) : clientCredentialsForm(parameters)
}
