import type { ApiOfToken, ProtectedApi } from '../configuration/api.ts'
import {
  isInKms,
  type JwtConfiguration,
  type KmsKeyReference,
  locationOf,
} from '../configuration/assertion-configuration.ts'
import {
  type Connection,
  isServed,
  type ServedConnection,
  secretsInBodyOf,
  secretsInHeaders,
  signedJwtsOf,
  tokensOf,
} from '../configuration/connection.ts'
import type { ElementReference } from '../configuration/element.ts'
import { isSharedKeyAlgorithm } from '../configuration/signature-algorithm.ts'
import type { Transport } from '../configuration/transport.ts'

/** A secret of a connection, and the attribute through which the connection uses it. */
export interface UsedSecret {
  readonly secret: string
  readonly element: ElementReference
  readonly attribute: string
  readonly use: 'text' | 'signature' | 'client_certificate' | 'trust'
  /** A key in KMS. Its certificate is in the keyStore, and `secret` is the location of the key. */
  readonly kmsKey?: KmsKeyReference
  /** Which keys of the secret may sign. */
  readonly alias?: string | undefined
  /** Whether a server sees a digest of its certificate, or all of it. */
  readonly isPresented?: boolean
  /** Whether a server also sees the chain of its certificate. */
  readonly hasChain?: boolean
}

/** The secrets that a connection uses, but for those whose keys Tokenwell makes. One key may sign for the client and for the grant. */
export function secretsOf(connection: Connection): readonly UsedSecret[] {
  const { name, api } = connection
  const all = [
    ...tokensOf(connection).flatMap((token) =>
      isServed(token) ? secretsOfServer(token) : keySecret(token.grant.assertion),
    ),
    ...(api ? secretsOfApi(api, { kind: 'endpointConnection', id: name }) : []),
  ]
  return [...new Map(all.map((used) => [JSON.stringify(used), used])).values()]
}

function secretsOfApi(api: ProtectedApi | ApiOfToken, element: ElementReference): readonly UsedSecret[] {
  const { basicAuthentication: basic } = api
  return [
    ...(basic ? [textSecret(basic.passwordSecret, element, 'authenticationConfigRef')] : []),
    ...secretsOfTransport(api, element),
  ]
}

function secretsOfServer(connection: ServedConnection): readonly UsedSecret[] {
  const { authentication, authorizationServer, clientAuthentication: way, grant } = connection
  const server = { kind: 'authorizationServer', id: authorizationServer.id } as const
  return [
    ...('passwordSecret' in way ? [textSecret(way.passwordSecret, server, 'basicAuthRef')] : []),
    ...signedJwtsOf(connection).flatMap(keySecret),
    ...secretsInHeaders(authorizationServer).map((secret) => textSecret(secret, server, 'headers')),
    ...secretsOfTransport(authorizationServer, server),
    ...secretsInBodyOf(grant).map((secret) => textSecret(secret, authentication, 'tokenRequest')),
  ]
}

function textSecret(secret: string, element: ElementReference, attribute: string): UsedSecret {
  return { secret, element, attribute, use: 'text' }
}

function keySecret(assertion: JwtConfiguration): readonly UsedSecret[] {
  const { key, algorithm, certificateThumbprint, hasCertificateChain: hasChain = false } = assertion
  const element: ElementReference = { kind: 'jwtBuilder', id: key.jwtBuilder }
  if (isInKms(key)) {
    if (key.certificate === undefined) return []
    const isPresented = certificateThumbprint !== 'none' || hasChain
    const use = { use: 'signature' as const, kmsKey: key, isPresented, hasChain }
    return [{ secret: locationOf(key), element, attribute: 'keyStoreRef', ...use }]
  }
  if (key.generated) return []
  const { location: secret, alias } = key
  if (isSharedKeyAlgorithm(algorithm)) return [textSecret(secret, element, 'sharedKey')]
  const isPresented = certificateThumbprint !== 'none' || hasChain
  return [{ secret, element, attribute: 'keyStoreRef', use: 'signature', alias, isPresented, hasChain }]
}

function secretsOfTransport({ tls, proxy }: Transport, element: ElementReference): readonly UsedSecret[] {
  const { clientCertificate, trustStore } = tls
  const attribute = 'sslCertsRef'
  return [
    ...(clientCertificate === undefined
      ? []
      : [{ secret: clientCertificate, element, attribute, use: 'client_certificate' as const }]),
    ...(trustStore === undefined ? [] : [{ secret: trustStore, element, attribute, use: 'trust' as const }]),
    ...(proxy?.credentials
      ? [textSecret(proxy.credentials.passwordSecret, { kind: 'proxyConfig', id: proxy.id }, 'basicAuthRef')]
      : []),
  ]
}
