import type { GrantType } from '../configuration/element.ts'
import { Secret } from '../secret/secret.ts'
import type { ClientCredentials } from './client-authentication.ts'
import type { GrantForm } from './grants/grant-form.ts'

/** The body of a token request (RFC 6749 section 4). */
export function createTokenRequestForm(
  grantType: GrantType,
  client: Pick<ClientCredentials, 'parameters'>,
  grant: Pick<GrantForm, 'parameters'>,
): Secret {
  const form = new URLSearchParams({ grant_type: grantType })
  for (const [name, value] of [...client.parameters, ...grant.parameters])
    form.append(name, value instanceof Secret ? value.reveal() : value)
  return new Secret(form.toString())
}
