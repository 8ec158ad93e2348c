import type { JwtConfiguration } from '../../../lib/configuration/assertion-configuration.ts'
import type { LocatedConnection } from '../../../lib/configuration/connection.ts'

/** The resolved assertion settings of a plain client, with these changes. */
export function plainAssertion(changes: Partial<JwtConfiguration> = {}): JwtConfiguration {
  return {
    issuer: 'theIssuer',
    subject: 'theClient',
    audiences: ['https://as.example'],
    expiresInSeconds: 120,
    issuedAtOffsetSeconds: 0,
    hasJwtId: true,
    claims: {},
    algorithm: 'RS256',
    type: 'JWT',
    certificateThumbprint: 'none',
    key: { jwtBuilder: 'theBuilder', location: 'tokenwell/test/the-key' },
    ...changes,
  }
}

/** A connection that signs a JWT and sets nothing else. */
export const plainConnection: LocatedConnection = {
  name: 'conn',
  elements: ['endpointConnection/conn'],
  authentication: { kind: 'oAuthConfig', id: 'theConfig' },
  carrier: { header: 'authorization', isBearer: true, rejection: 'invalid_token' },
  grant: { type: 'client_credentials' },
  clientId: 'theClient',
  clientAuthentication: {
    method: 'private_key_jwt',
    sendClientId: false,
    assertion: plainAssertion({ issuer: 'theClient', audiences: ['https://as.example.com'], algorithm: 'ES256' }),
  },
  authorizationServer: {
    id: 'theServer',
    tokenEndpoint: 'https://as.example.com/token',
    tls: { minimumVersion: 'TLSv1.2' },
    connectTimeoutMilliseconds: 3_000,
    receiveTimeoutMilliseconds: 8_000,
    maximumConcurrency: 10,
    coolDownSeconds: 30,
    lifetime: { assumedLifetimeSeconds: 300 },
  },
  parameters: { scope: [], resource: [], further: {} },
}
