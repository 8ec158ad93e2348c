import type { GrantType } from '../configuration/element.ts'
import { Secret } from '../secret/secret.ts'
import type { ClientCredentials } from './client-authentication.ts'

/** The parameters of a token request other than the client's credentials. */
export interface GrantParameters {
  readonly scope: readonly string[]
  readonly resource: readonly string[]
  readonly audience?: string
  readonly username?: string
  readonly password?: Secret
  readonly further: Readonly<Record<string, string>>
}

/** The body of a token request (RFC 6749 sections 4.3.2 and 4.4.2, RFC 8707 section 2); only `resource` may repeat. */
export function createTokenRequestForm(
  grantType: GrantType,
  { scope, resource, audience, username, password, further }: GrantParameters,
  credentials: ClientCredentials,
): Secret {
  const form = new URLSearchParams({ grant_type: grantType })
  for (const [name, value] of credentials.parameters) form.set(name, value instanceof Secret ? value.reveal() : value)
  if (username !== undefined) form.set('username', username)
  if (password !== undefined) form.set('password', password.reveal())
  if (scope.length > 0) form.set('scope', scope.join(' '))
  for (const each of resource) form.append('resource', each)
  if (audience !== undefined) form.set('audience', audience)
  for (const [name, value] of Object.entries(further)) form.set(name, value)
  return new Secret(form.toString())
}
