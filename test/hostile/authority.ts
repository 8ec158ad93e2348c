import 'reflect-metadata'
import { KeyObject, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import type { ServerCertificate } from '../../infra/local/certificate-authority.ts'

const dayMilliseconds = 86_400_000
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const rsa1024 = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 1024,
  publicExponent: new Uint8Array([1, 0, 1]),
}

const { clientAuth, serverAuth } = x509.ExtendedKeyUsage
type Days = readonly [from: number, until: number]
const aYear: Days = [-1, 365]

export interface Oddity {
  readonly hostNames?: readonly string[]
  /** From when until when it is valid, in days from now. */
  readonly days?: Days
  readonly isForClients?: boolean
  readonly isWeak?: boolean
  readonly isSelfSigned?: boolean
}

/** A trusted CA that signs any certificate. */
export interface Authority {
  readonly caCertificate: string
  issue(oddity?: Oddity): Promise<ServerCertificate>
}

export async function createAuthority(): Promise<Authority> {
  const caKeys = await generateKeys()
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=The CA of hostile servers',
    keys: caKeys,
    signingAlgorithm: ecdsa,
    ...between(aYear),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  })
  const caCertificate = ca.toString('pem')

  return {
    caCertificate,
    async issue({ hostNames = ['localhost'], days = aYear, isForClients, isWeak, isSelfSigned } = {}) {
      const keys = isWeak ? await webcrypto.subtle.generateKey(rsa1024, true, ['sign', 'verify']) : await generateKeys()
      const names = hostNames.map((value) => ({ type: 'dns' as const, value }))
      const certificate = await x509.X509CertificateGenerator.create({
        subject: 'CN=localhost',
        issuer: isSelfSigned ? 'CN=localhost' : ca.subject,
        publicKey: keys.publicKey,
        signingKey: isSelfSigned ? keys.privateKey : caKeys.privateKey,
        signingAlgorithm: ecdsa,
        ...between(days),
        extensions: [
          new x509.BasicConstraintsExtension(false),
          new x509.ExtendedKeyUsageExtension([isForClients ? clientAuth : serverAuth]),
          new x509.SubjectAlternativeNameExtension(names),
        ],
      })
      const privateKey = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString()
      return { caCertificate, certificate: certificate.toString('pem'), privateKey }
    },
  }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
}

function between([from, until]: Days): { notBefore: Date; notAfter: Date } {
  const at = (days: number) => new Date(Date.now() + days * dayMilliseconds)
  return { notBefore: at(from), notAfter: at(until) }
}
