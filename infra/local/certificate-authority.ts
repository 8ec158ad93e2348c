import 'reflect-metadata'
import { createPrivateKey, createPublicKey, type KeyObject, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const dayMilliseconds = 86_400_000
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A CA certificate, and a server certificate that it signed with its private key. All are PEM. */
export interface ServerCertificate {
  readonly caCertificate: string
  readonly certificate: string
  readonly privateKey: string
}

/** Makes a CA and a certificate for a TLS server on this machine. The CA's private key is not kept. */
export async function createServerCertificate(hostNames: readonly string[]): Promise<ServerCertificate> {
  // Several local runs trust the same certificate, and there is no CA key to steal.
  const { certificate: ca, keys: caKeys } = await createAuthority()
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(365),
    subject: `CN=${hostNames[0]}`,
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: ecdsa,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hostNames.map(generalName)),
      await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  })
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  return {
    caCertificate: ca.toString('pem'),
    certificate: certificate.toString('pem'),
    privateKey: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({
      type: 'pkcs8',
      format: 'pem',
    }) as string,
  }
}

async function createAuthority() {
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(365),
    name: 'CN=Tokenwell local run',
    keys,
    signingAlgorithm: ecdsa,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate, keys }
}

/**
 * A certificate for a signing key, in PEM. Only its thumbprint and dates are used.
 * @param days from now to its end
 */
export async function createKeyCertificate(privateKey: KeyObject, name: string, days = 3650): Promise<string> {
  const signer = await generateKeys()
  const publicKeyInfo = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(days),
    subject: `CN=${name}`,
    issuer: 'CN=Tokenwell local run',
    publicKey: new x509.PublicKey(publicKeyInfo),
    signingKey: signer.privateKey,
    signingAlgorithm: ecdsa,
  })
  return certificate.toString('pem')
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now()
  return { notBefore: new Date(now - dayMilliseconds), notAfter: new Date(now + days * dayMilliseconds) }
}

function generalName(name: string): x509.JsonGeneralName {
  return { type: /^[\d.]+$|:/.test(name) ? 'ip' : 'dns', value: name }
}
