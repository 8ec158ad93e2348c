import type { ClientSecretBasic, Connection, PrivateKeyJwt, TlsClientAuth } from '../configuration/connection.ts'
import { Secret } from '../secret/secret.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { readPassword, type SecretUse } from '../signing/secret-use.ts'
import type { Signer } from '../signing/signer.ts'
import type { SignerCache } from '../signing/signer-cache.ts'
import { type AssertionMoment, type SentAssertion, signAssertion } from './assertion.ts'

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** What authenticates the client at the token endpoint. Valid for one attempt. */
export interface ClientCredentials {
  readonly parameters: readonly (readonly [name: string, value: Secret | string])[]
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
  if ('password' in key) return authenticateByPassword(clientId, key.password)
  if ('signer' in key) return await authenticateByAssertion(clientId, key.way, key.signer, moment)
  return authenticateByCertificate(clientId)
}

/** RFC 8705 section 2: the TLS handshake presents the certificate, and `client_id` names its owner. */
function authenticateByCertificate(clientId: string): ClientCredentials {
  return { parameters: [['client_id', clientId]], headers: {}, secrets: [], sendsClientId: true }
}

/** RFC 7523 section 2.2: `client_id` is optional, and must be the subject of the assertion. */
async function authenticateByAssertion(
  clientId: string,
  { assertion, sendClientId }: PrivateKeyJwt,
  signer: Signer,
  moment: AssertionMoment,
): Promise<ClientCredentials> {
  const { assertion: signed, ...sent } = await signAssertion(assertion, signer, moment)
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

/** RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined. */
function authenticateByPassword(clientId: string, password: Secret): ClientCredentials {
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

/** The authentication method of a client, with its key or password. */
export type ClientKey =
  | { readonly way: PrivateKeyJwt; readonly signer: Signer }
  | { readonly way: ClientSecretBasic; readonly password: Secret }
  | { readonly way: TlsClientAuth }

/** The keys of clients. Both functions throw {SecretError} when a secret can't be read, and {KeyStoreError} when it holds no usable key. */
export type ClientKeySource = ReturnType<typeof createClientKeySource>

export function createClientKeySource(signers: SignerCache, secrets: SecretStore) {
  return {
    async current(connection: Connection): Promise<ClientKey> {
      const { clientAuthentication: way } = connection
      const use = useOf(connection)
      if (way.method === 'tls_client_auth') return { way }
      if (way.method === 'client_secret_basic')
        return { way, password: readPassword(way.passwordSecret, await secrets.get(way.passwordSecret), use) }
      return { way, signer: await signers.current(way.assertion.key, way.assertion.algorithm, use) }
    },

    /** The key or password that was current before. Undefined where no other one exists. */
    async previous(connection: Connection): Promise<ClientKey | undefined> {
      const { clientAuthentication: way } = connection
      const use = useOf(connection)
      if (way.method === 'tls_client_auth') return undefined
      if (way.method === 'client_secret_basic') {
        const password = await previousPassword(secrets, way.passwordSecret, use)
        return password && { way, password }
      }
      const signer = await signers.previous(way.assertion.key, way.assertion.algorithm, use)
      return signer && { way, signer }
    },
  }
}

function useOf({ authorizationServer: { id, tokenEndpoint } }: Connection): SecretUse {
  return { element: `authorizationServer/${id}`, host: new URL(tokenEndpoint).hostname }
}

async function previousPassword(secrets: SecretStore, name: string, use: SecretUse): Promise<Secret | undefined> {
  const before = await secrets.getPrevious(name)
  const password = before && readPassword(name, before, use)
  return password?.equals(readPassword(name, await secrets.get(name), use)) ? undefined : password
}
