import 'reflect-metadata'
import { execFile } from 'node:child_process'
import { createHash, KeyObject, webcrypto, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as x509 from '@peculiar/x509'
import { MissingServerError } from './real-server.ts'

const run = promisify(execFile)
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** What a TLS client presents, and the CA that a server verifies it with. All PEM. */
export interface ClientCertificate {
  readonly caCertificate: string
  readonly certificate: string
  readonly privateKey: string
}

/** Creates a new CA and a TLS client's certificate signed by it. */
export async function createClientCertificate(name = 'theClient'): Promise<ClientCertificate> {
  const [caKeys, keys] = await Promise.all([generateKeys(), generateKeys()])
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    // A name of its own, because OpenSSL confuses two CAs that have the same name.
    name: `CN=The CA of ${name}`,
    keys: caKeys,
    signingAlgorithm: ecdsa,
    ...validity(),
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  })
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: ecdsa,
    ...validity(),
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ],
  })
  return {
    caCertificate: ca.toString('pem'),
    certificate: certificate.toString('pem'),
    privateKey: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** Creates a TLS client's certificate that is its own CA. */
export async function createSelfSignedCertificate(name = 'theClient'): Promise<ClientCertificate> {
  const keys = await generateKeys()
  const itself = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ecdsa,
    ...validity(),
    extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
  })
  const certificate = itself.toString('pem')
  const privateKey = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString()
  return { caCertificate: certificate, certificate, privateKey }
}

/** Key and certificate as one secret. */
export function pemBundle({ privateKey, certificate }: ClientCertificate): string {
  return `${privateKey}${certificate}\n`
}

/** The value of `x5t#S256`, RFC 8705 section 3.1. */
export function thumbprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('base64url')
}

export function thumbprintOf({ certificate }: ClientCertificate): string {
  return thumbprint(new X509Certificate(certificate).raw)
}

/**
 * Packs key and certificate as PKCS#12 with OpenSSL.
 * @param more options of `openssl pkcs12 -export`
 * @throws {MissingServerError} if there is no `openssl`
 */
export async function packPkcs12(
  { privateKey, certificate, caCertificate }: ClientCertificate,
  passphrase: string,
  more: readonly string[] = [],
): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-pkcs12-'))
  const path = (name: string) => join(folder, name)
  try {
    await writeFile(path('key.pem'), privateKey)
    await writeFile(path('certificate.pem'), certificate)
    await writeFile(path('ca.pem'), caCertificate)
    const files = ['-inkey', path('key.pem'), '-in', path('certificate.pem'), '-certfile', path('ca.pem')]
    const output = ['-out', path('packed.p12'), '-passout', `pass:${passphrase}`]
    await run('openssl', ['pkcs12', '-export', ...files, ...output, ...more])
    return await readFile(path('packed.p12'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new MissingServerError('openssl is not installed. Install it with: apt-get install openssl')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
}

function validity(): { notBefore: Date; notAfter: Date } {
  const day = 86_400_000
  return { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + 365 * day) }
}
