import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { isJsonObject } from '../../base/decoding.ts'
import type { TlsConfiguration } from '../../configuration/transport.ts'
import type { SecretStore } from '../../secret/secret-store.ts'
import { readCertificates, unwrapBase64 } from '../../signing/pem.ts'
import { withoutLineBreak } from '../../signing/private-key.ts'
import type { TlsCertificates } from '../../signing/secret-dates.ts'
import { KeyStoreError } from '../../signing/signing-key.ts'
import { readSigningKeys } from '../../signing/signing-secret.ts'
import { readStrictJson } from '../json/strict-json.ts'

/** The trusted CAs and the client certificate, as node:tls accepts them. */
export interface TlsIdentity {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** PKCS#12 in place of certificate and key. The CAs that it contains are trusted too. */
  readonly pfx?: Buffer
  readonly passphrase?: string
}

/**
 * @throws {SecretError} if a secret cannot be read
 * @throws {KeyStoreError} if it contains no CA bundle, or no client certificate with its key
 */
export async function readTlsIdentity(tls: TlsConfiguration, secrets: SecretStore): Promise<TlsIdentity> {
  const { trustStore, clientCertificate } = tls
  return {
    ...(trustStore && (await readTrustStore(trustStore, secrets))),
    ...(clientCertificate && (await readClientCertificate(clientCertificate, secrets))),
  }
}

async function readTrustStore(location: string, secrets: SecretStore): Promise<TlsIdentity> {
  return { ca: (await readAuthorities(location, secrets)).join('') }
}

async function readAuthorities(location: string, secrets: SecretStore): Promise<readonly X509Certificate[]> {
  const text = unwrapBase64((await secrets.get(location)).reveal())
  const certificates = readCertificates(location, text)
  if (certificates.length === 0)
    throw new KeyStoreError(location, 'contains no PEM certificate. A trust store must contain a CA bundle.')
  return certificates
}

/** The certificates in these secrets, for their dates. */
export function tlsCertificates(secrets: SecretStore): TlsCertificates {
  return {
    trusted: async (location) => await readAuthorities(location, secrets),
    async presented(location) {
      const { cert, ...identity } = await readClientCertificate(location, secrets)
      return cert === undefined
        ? certificateOf(createSecureContext(identity).context)
        : readCertificates(location, cert)
    },
  }
}

/** node:crypto does not read PKCS#12, so this uses a method of node:tls that is not documented. It gives no chain. */
function certificateOf(context: unknown): readonly X509Certificate[] {
  const { getCertificate } = context as { readonly getCertificate?: () => Buffer | null }
  const der = getCertificate?.call(context)
  return der ? [new X509Certificate(der)] : []
}

async function readClientCertificate(location: string, secrets: SecretStore): Promise<TlsIdentity> {
  const secret = await secrets.get(location)
  const pkcs12 = readPkcs12(location, secret.reveal())
  if (pkcs12) return pkcs12
  const [identity] = readSigningKeys(location, secret)
  if (!identity?.certificates.length)
    throw new KeyStoreError(location, 'contains a key without its certificate. A TLS client needs both.')
  const { privateKey, certificates } = identity
  return { cert: certificates.join(''), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** Reads PKCS#12 in base64, or JSON `{ pkcs12, passphrase }` that may itself be in base64. Returns undefined if the text is neither. */
function readPkcs12(location: string, text: string): TlsIdentity | undefined {
  const { pkcs12 = text, passphrase } = readMembers(unwrapBase64(text).trim())
  const packed = typeof pkcs12 === 'string' ? pkcs12.replace(/\s+/g, '') : ''
  // Base64 of DER with more than 127 bytes begins with these characters.
  if (!/^MI[A-Za-z0-9+/]+={0,2}$/.test(packed)) {
    if (pkcs12 === text) return undefined
    throw new KeyStoreError(
      location,
      'has a member pkcs12 that is not PKCS#12. It must be the bytes of the file in base64.',
    )
  }
  const pfx = Buffer.from(packed, 'base64')
  const identities =
    typeof passphrase === 'string' ? withoutLineBreak(passphrase).map((each) => ({ pfx, passphrase: each })) : [{ pfx }]
  const identity = identities.find(isReadable)
  if (identity) return identity
  throw new KeyStoreError(
    location,
    'contains PKCS#12 that cannot be read. Store it as JSON with the members pkcs12 and passphrase, and export the file with AES.',
  )
}

/** The error of node:tls is dropped, because it does not reliably distinguish a wrong passphrase from an old cipher. */
function isReadable(identity: TlsIdentity): boolean {
  try {
    createSecureContext(identity)
    return true
  } catch {
    return false
  }
}

function readMembers(text: string): { readonly pkcs12?: unknown; readonly passphrase?: unknown } {
  const read = readStrictJson(text)
  return 'value' in read && isJsonObject(read.value) ? read.value : {}
}
