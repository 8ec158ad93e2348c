import { X509Certificate } from 'node:crypto'
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { readCertificates } from '../../signing/pem.ts'
import type { buildConnector } from './undici.ts'

/** A server's certificate is not trusted. It says where the certificate chain ends. */
export class UntrustedChainError extends Error {
  override readonly name = 'UntrustedChainError'
  /** The code of node:tls. */
  readonly code: string
  /** Sentences for the operator about the missing certificate. */
  readonly ending: string

  constructor(code: string, ending: string) {
    super(ending)
    this.code = code
    this.ending = ending
  }
}

/** The codes of OpenSSL for a chain that ends too early. */
export const untrustedCodes = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]

/**
 * Wraps a connector so that its error names the missing certificate.
 * @param ca the trust store in PEM. By default the CA list of Node.js.
 */
export function namingMissingIssuer(connect: buildConnector.connector, ca = ''): buildConnector.connector {
  return function connectAndName(options, callback) {
    let shown: DetailedPeerCertificate | undefined
    // undici does not declare that it returns the socket. Once the socket is refused, its certificate is gone.
    const socket: unknown = connect(options, (...result) => {
      const [error] = result
      const code = error && 'code' in error ? String(error.code) : ''
      if (!shown || !untrustedCodes.includes(code)) return callback(...result)
      const sent = certificatesOf(shown)
      callback(new UntrustedChainError(code, describeEnd(sent, readCertificates('trust store', ca))), null)
    })
    if (socket instanceof TLSSocket)
      socket.prependListener('secure', () => {
        // After getPeerX509Certificate, node:tls would lack the certificate for its host name check that follows.
        shown = socket.getPeerCertificate(true)
      })
  }
}

const longestChain = 10

/** The server's own certificate first, then the issuers that it sent. */
function certificatesOf(shown: DetailedPeerCertificate): X509Certificate[] {
  const certificates: X509Certificate[] = []
  let next: DetailedPeerCertificate | undefined = shown
  while (next?.raw && certificates.length < longestChain) {
    certificates.push(new X509Certificate(next.raw))
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate
  }
  return certificates
}

function describeEnd(sent: readonly X509Certificate[], trusted: readonly X509Certificate[]): string {
  let [last] = sent
  if (!last) return 'It sent no certificate.'
  for (let length = 1; length < longestChain && last.subject !== last.issuer; length++) {
    const issuer: X509Certificate | undefined = [...sent, ...trusted].find((each) => last?.checkIssued(each))
    if (!issuer) break
    last = issuer
  }
  const subject = printable(last.subject)
  if (last.subject === last.issuer) return `The certificate ${subject} is self-signed and not in the trust store.`
  const { fingerprint256 } = last
  const issuer = printable(last.issuer)
  return trusted.some((each) => each.fingerprint256 === fingerprint256)
    ? `The certificate of ${issuer}, which signed ${subject}, is missing. Configure the server to send it, add it to the trust store, or set allowPartialTrustChain on the ssl element.`
    : `The certificate of ${issuer}, which signed ${subject}, is missing. Configure the server to send it, or add it to the trust store.`
}

/** A server controls the text of its certificate, so control characters and length are limited. */
function printable(name: string): string {
  return name
    .replaceAll('\n', ', ')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200)
}
