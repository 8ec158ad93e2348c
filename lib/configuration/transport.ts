/** How a server is reached. */
export interface Transport {
  readonly tls: TlsConfiguration
  /** If absent, the server is reached directly. */
  readonly proxy?: HttpProxy
  /** The time limit until the connection is open, including the tunnel of a proxy. */
  readonly connectTimeoutMilliseconds: number
  /** The longest time without data from the server. */
  readonly receiveTimeoutMilliseconds: number
}

/** A proxy for tunnels with CONNECT (RFC 9110 section 9.3.6). */
export interface HttpProxy {
  readonly id: string
  readonly host: string
  readonly port: number
  readonly credentials?: ProxyCredentials
}

/** RFC 7617. */
export interface ProxyCredentials {
  readonly user: string
  readonly passwordSecret: string
}

export interface TlsConfiguration {
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3'
  /** The name of the secret with the CA bundle. If absent, the CA list of Node.js is used. */
  readonly trustStore?: string
  /** The name of the secret with the client certificate and its key. */
  readonly clientCertificate?: string
  /** Each certificate in the trust store is trusted by itself. Otherwise a chain must end in a self-signed certificate. */
  readonly allowPartialTrustChain?: true
}
