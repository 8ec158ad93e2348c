import type { TlsConfiguration } from '../configuration/connection.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { KeyStoreError } from '../signing-key/key-store-error.ts'
import { readCertificates } from '../signing-key/read-certificates.ts'
import { readSigningKeys } from '../signing-key/read-signing-keys.ts'
import { unwrapBase64 } from '../signing-key/unwrap-base64.ts'

/** Whom we trust and who we are, as node:tls takes it. */
export interface TlsIdentity {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/**
 * @throws {SecretError} when a secret can't be had
 * @throws {KeyStoreError} when it holds no CA bundle, or no client certificate with its key
 */
export async function readTlsIdentity(tls: TlsConfiguration, secrets: SecretStore): Promise<TlsIdentity> {
  const { trustStore, clientCertificate } = tls
  return {
    ...(trustStore && (await readTrustStore(trustStore, secrets))),
    ...(clientCertificate && (await readClientCertificate(clientCertificate, secrets))),
  }
}

async function readTrustStore(location: string, secrets: SecretStore): Promise<TlsIdentity> {
  const text = unwrapBase64((await secrets.get(location)).reveal())
  const certificates = readCertificates(location, text)
  if (certificates.length === 0)
    throw new KeyStoreError(location, 'holds no PEM certificate; as a trust store it must hold a CA bundle.')
  return { ca: certificates.join('') }
}

async function readClientCertificate(location: string, secrets: SecretStore): Promise<TlsIdentity> {
  const [identity] = readSigningKeys(location, await secrets.get(location))
  if (!identity?.certificates.length)
    throw new KeyStoreError(location, 'holds a key without its certificate; a TLS client presents both.')
  const { privateKey, certificates } = identity
  return { cert: certificates.join(''), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
