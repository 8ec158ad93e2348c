import type { GrantType } from '../configuration/element.ts'
import { Secret } from '../secret/secret.ts'
import type { ClientCredentials } from './client-authentication.ts'
import type { FormParameters, GrantForm } from './grants/grant-form.ts'

interface TokenRequestParts {
  readonly grantType: GrantType
  readonly client: Pick<ClientCredentials, 'parameters'>
  readonly grant: Pick<GrantForm, 'parameters'>
  /** The names of the parameters for the query of the URL. */
  readonly inQuery?: readonly string[] | undefined
}

/** The parameters of a token request (RFC 6749 section 4), for the body and for the query. */
export interface TokenRequestForm {
  readonly form: Secret
  readonly query?: Secret
}

/** No secret and no parameter of the client gets into the query, whatever the elements say: URLs are logged. */
export function createTokenRequestForm({
  grantType,
  client,
  grant,
  inQuery = [],
}: TokenRequestParts): TokenRequestForm {
  const all: FormParameters = [['grant_type', grantType], ...client.parameters, ...grant.parameters]
  const query = all.filter(
    (parameter) =>
      inQuery.includes(parameter[0]) && !(parameter[1] instanceof Secret) && !client.parameters.includes(parameter),
  )
  const form = encode(all.filter((parameter) => !query.includes(parameter)))
  // In a query, some servers take a plus sign for itself.
  return { form, ...(query.length > 0 && { query: new Secret(encode(query).reveal().replaceAll('+', '%20')) }) }
}

function encode(parameters: FormParameters): Secret {
  const encoded = new URLSearchParams()
  for (const [name, value] of parameters) encoded.append(name, value instanceof Secret ? value.reveal() : value)
  return new Secret(encoded.toString())
}
