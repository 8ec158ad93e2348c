import { createSecureContext } from 'node:tls'
import type { TlsConfiguration } from '../configuration/connection.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { KeyStoreError } from '../signing-key/key-store-error.ts'
import { readPemBlocks } from '../signing-key/pem.ts'
import { readSigningKeys } from '../signing-key/read-signing-keys.ts'

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
  const ca = certificatesIn((await secrets.get(location)).reveal())
  if (ca === '')
    throw new KeyStoreError(location, 'holds no PEM certificate; as a trust store it must hold a CA bundle.')
  return checked(location, { ca })
}

async function readClientCertificate(location: string, secrets: SecretStore): Promise<TlsIdentity> {
  const secret = await secrets.get(location)
  const [identity] = readSigningKeys(location, secret)
  if (!identity?.certificate)
    throw new KeyStoreError(location, 'holds a key without its certificate; a TLS client presents both.')
  const chain = certificatesIn(secret.reveal()) || identity.certificate.toString()
  const key = identity.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return checked(location, { cert: chain, key })
}

function certificatesIn(text: string): string {
  return readPemBlocks(text)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map((block) => block.text)
    .join('')
}

/** OpenSSL's own reason is dropped: it names no secret, and none of ours. */
function checked(location: string, identity: TlsIdentity): TlsIdentity {
  try {
    createSecureContext(identity)
    return identity
  } catch {
    throw new KeyStoreError(location, "holds certificates that can't be read; check that they were stored whole.")
  }
}
