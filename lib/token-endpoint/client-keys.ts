import type { ClientSecretBasic, Connection, PrivateKeyJwt, TlsClientAuth } from '../configuration/connection.ts'
import { oneLine } from '../secret/one-line.ts'
import type { Secret } from '../secret/secret.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import type { Signer } from '../signing-key/signer.ts'
import type { Signers } from '../signing-key/signers.ts'

/** What a client has to prove itself by, and the way in which it does. */
export type ClientKey =
  | { readonly way: PrivateKeyJwt; readonly signer: Signer }
  | { readonly way: ClientSecretBasic; readonly password: Secret }
  | { readonly way: TlsClientAuth }

/** Both throw {SecretError} when a secret can't be had and {KeyStoreError} when it holds no key that fits. */
export interface ClientKeys {
  current(connection: Connection): Promise<ClientKey>
  /** What was current before; undefined where there is nothing, or nothing else. */
  previous(connection: Connection): Promise<ClientKey | undefined>
}

export function createClientKeys(signers: Signers, secrets: SecretStore): ClientKeys {
  return {
    async current({ clientAuthentication: way }) {
      if (way.method === 'tls_client_auth') return { way }
      if (way.method === 'client_secret_basic') return { way, password: oneLine(await secrets.get(way.passwordSecret)) }
      return { way, signer: await signers.get(way.assertion.key, way.assertion.algorithm) }
    },
    async previous({ clientAuthentication: way }) {
      if (way.method === 'tls_client_auth') return undefined
      if (way.method === 'client_secret_basic') {
        const password = await previousPassword(secrets, way.passwordSecret)
        return password && { way, password }
      }
      const signer = await signers.getPrevious(way.assertion.key, way.assertion.algorithm)
      return signer && { way, signer }
    },
  }
}

async function previousPassword(secrets: SecretStore, name: string): Promise<Secret | undefined> {
  const before = await secrets.getPrevious(name)
  const password = before && oneLine(before)
  return password?.equals(oneLine(await secrets.get(name))) ? undefined : password
}
