import type { AssertionMoment } from '../assertion/claims.ts'
import { signAssertion } from '../assertion/sign-assertion.ts'
import type { Validity } from '../assertion/validity.ts'
import type { PrivateKeyJwt } from '../configuration/connection.ts'
import { Secret } from '../secret/secret.ts'
import type { Signer } from '../signing-key/signer.ts'
import type { ClientKey } from './client-keys.ts'

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** What proves to the server who asks: good for one attempt. */
export interface ClientCredentials {
  readonly parameters: readonly (readonly [name: string, value: Secret | string])[]
  readonly headers: Readonly<Record<string, Secret>>
  /** What a server that quotes its request might repeat. */
  readonly secrets: readonly Secret[]
  /** Of an assertion. */
  readonly validity?: Validity
}

/** By the one method that the connection is configured for (RFC 6749 section 2.3). */
export async function authenticateClient(
  clientId: string,
  key: ClientKey,
  moment: AssertionMoment,
): Promise<ClientCredentials> {
  if ('password' in key) return authenticateByPassword(clientId, key.password)
  if ('signer' in key) return authenticateByAssertion(clientId, key.way, key.signer, moment)
  return authenticateByCertificate(clientId)
}

/** RFC 8705 section 2: the certificate is presented with the connection, and `client_id` says whose it is. */
function authenticateByCertificate(clientId: string): ClientCredentials {
  return { parameters: [['client_id', clientId]], headers: {}, secrets: [] }
}

/** RFC 7523 section 2.2. `client_id` is optional there, and must be the assertion's subject. */
async function authenticateByAssertion(
  clientId: string,
  { assertion, sendClientId }: PrivateKeyJwt,
  signer: Signer,
  moment: AssertionMoment,
): Promise<ClientCredentials> {
  const { assertion: signed, validity } = await signAssertion(assertion, signer, moment)
  return {
    parameters: [
      ['client_assertion_type', assertionType],
      ['client_assertion', signed],
      ...(sendClientId ? ([['client_id', clientId]] as const) : []),
    ],
    headers: {},
    secrets: [signed],
    validity,
  }
}

/** RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined. */
function authenticateByPassword(clientId: string, password: Secret): ClientCredentials {
  const pair = `${formEncode(clientId)}:${formEncode(password.reveal())}`
  const encoded = Buffer.from(pair).toString('base64')
  return {
    parameters: [],
    headers: { authorization: new Secret(`Basic ${encoded}`) },
    secrets: [password, new Secret(encoded)],
  }
}

function formEncode(value: string): string {
  return new URLSearchParams([['', value]]).toString().slice(1)
}
