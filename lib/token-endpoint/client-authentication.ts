import type { ClientPassword, PrivateKeyJwt } from '../configuration/connection.ts'
import { Secret } from '../secret/secret.ts'
import type { AssertionMaker, AssertionMoment, SentAssertion } from '../signing/assertion.ts'
import type { FormParameters } from './grants/grant-form.ts'
import type { ClientKey } from './request-keys.ts'

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** What authenticates the client at the token endpoint. Valid for one attempt. */
export interface ClientCredentials {
  readonly parameters: FormParameters
  readonly headers: Readonly<Record<string, Secret>>
  /** Secrets that a server might repeat when it quotes the request. */
  readonly secrets: readonly Secret[]
  /** Whether the request names the client id outside an assertion. */
  readonly sendsClientId: boolean
  /** Present where the client authenticates with an assertion. */
  readonly assertion?: SentAssertion
}

/** Authenticates with the one method that the connection has (RFC 6749 section 2.3). */
export async function authenticateClient(
  clientId: string,
  key: ClientKey,
  moment: AssertionMoment,
): Promise<ClientCredentials> {
  if ('password' in key) return authenticateByPassword(clientId, key.way, key.password)
  if ('maker' in key) return await authenticateByAssertion(clientId, key.way, key.maker, moment)
  // RFC 8705 section 2: the TLS handshake presents the certificate, and `client_id` names its owner.
  return nameClient(clientId, key.way.method === 'tls_client_auth' || key.way.sendClientId)
}

function nameClient(clientId: string, sendsClientId: boolean): ClientCredentials {
  return { parameters: sendsClientId ? [['client_id', clientId]] : [], headers: {}, secrets: [], sendsClientId }
}

/** RFC 7523 section 2.2: `client_id` is optional, and must be the subject of an assertion that Tokenwell signs. */
async function authenticateByAssertion(
  clientId: string,
  { sendClientId }: PrivateKeyJwt,
  maker: AssertionMaker,
  moment: AssertionMoment,
): Promise<ClientCredentials> {
  const { assertion: signed, ...sent } = await maker.make(moment)
  return {
    parameters: [
      ['client_assertion_type', assertionType],
      ['client_assertion', signed],
      ...(sendClientId ? ([['client_id', clientId]] as const) : []),
    ],
    headers: {},
    secrets: [signed],
    sendsClientId: sendClientId,
    assertion: sent,
  }
}

/** RFC 6749 section 2.3.1. In the header, id and secret are form-encoded before they are joined. */
function authenticateByPassword(clientId: string, { method }: ClientPassword, password: Secret): ClientCredentials {
  if (method === 'client_secret_post')
    return {
      parameters: [
        ['client_id', clientId],
        ['client_secret', password],
      ],
      headers: {},
      secrets: [password, new Secret(formEncode(password.reveal()))],
      sendsClientId: true,
    }
  const pair = `${formEncode(clientId)}:${formEncode(password.reveal())}`
  const encoded = Buffer.from(pair).toString('base64')
  return {
    parameters: [],
    headers: { authorization: new Secret(`Basic ${encoded}`) },
    secrets: [password, new Secret(encoded)],
    sendsClientId: true,
  }
}

function formEncode(value: string): string {
  return new URLSearchParams([['', value]]).toString().slice(1)
}
