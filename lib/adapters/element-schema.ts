import * as v from 'valibot'
import type { Elements, Kind } from '../configuration/element.ts'
import { signatureAlgorithms } from '../configuration/signature-algorithm.ts'
import {
  duration,
  flag,
  host,
  oneOf,
  parameters,
  reference,
  requestMay,
  resource,
  scope,
  seconds,
  secretName,
  text,
  texts,
  tokenEndpoint,
  wholeNumber,
} from './attribute-schema.ts'
import { claims } from './claims-schema.ts'

/**
 * The shape of each element as it stands in a file or parameter: what a single element may hold. What elements must be to
 * each other is said in lib/configuration.
 */
export const elementSchemas = {
  endpointConnection: v.strictObject({
    authenticationConfigRef: reference('oAuthConfig'),
    host: v.exactOptional(host),
    port: v.exactOptional(wholeNumber(1, 65_535)),
    domainBasePath: v.exactOptional(v.pipe(text(), v.startsWith('/', 'a path that begins with /'))),
    warm: v.exactOptional(flag),
    warmIdle: v.exactOptional(duration({ least: '1m', most: '720h' })),
    warmVariants: v.exactOptional(wholeNumber(1, 100)),
  }),
  oAuthConfig: v.strictObject({
    grantType: v.exactOptional(v.picklist(['client_credentials', 'password'], 'client_credentials or password')),
    authServerRef: reference('authorizationServer'),
    jwtAuthenticationTokenRef: v.exactOptional(reference('oAuthTokenConfig')),
    jwtAuthenticationSetClientId: v.exactOptional(flag),
    scope: v.exactOptional(scope),
    resource: v.exactOptional(resource),
    audience: v.exactOptional(text()),
    parameters: v.exactOptional(parameters),
    requestMay: v.exactOptional(requestMay),
  }),
  oAuthTokenConfig: v.strictObject({
    tokenGeneratorRef: reference('jwtBuilder'),
    tokenSubject: v.pipe(text(), v.description('The OAuth 2.0 client id: always the sub of the assertion.')),
    claims: v.exactOptional(claims),
  }),
  authorizationServer: v.strictObject({
    tokenEndpoint: v.pipe(tokenEndpoint, v.description('The URL of the token endpoint; its query is kept.')),
    issuer: v.exactOptional(v.pipe(text(), v.description('The issuer identifier (RFC 8414), the default aud.'))),
    sslCertsRef: v.exactOptional(reference('ssl')),
    basicAuthRef: v.exactOptional(reference('authData')),
    connectionTimeout: v.exactOptional(duration({ least: '1ms' })),
    receiveTimeout: v.exactOptional(duration({ least: '1ms' })),
    assumedLifetimeSeconds: v.exactOptional(seconds(1)),
    maximumLifetimeSeconds: v.exactOptional(seconds(1)),
    marginSeconds: v.exactOptional(seconds(0)),
    maximumConcurrency: v.exactOptional(wholeNumber(1, 1000)),
    coolDownSeconds: v.exactOptional(wholeNumber(1, 300)),
    allowLoopbackHttp: v.exactOptional(flag),
  }),
  jwtBuilder: v.strictObject({
    issuer: v.exactOptional(v.pipe(text(), v.description('The iss claim; most servers want the client id.'))),
    audiences: v.exactOptional(texts('one text or a list of texts')),
    expiresInSeconds: v.exactOptional(duration({ least: '1s', resolutionMilliseconds: 1000 })),
    expiry: v.exactOptional(duration({ least: '1s', bareUnit: 'h', resolutionMilliseconds: 1000 })),
    nbfOffset: v.exactOptional(duration({ least: '0s', resolutionMilliseconds: 1000 })),
    issuedAtOffset: v.exactOptional(duration({ least: '-1h', resolutionMilliseconds: 1000 })),
    jti: v.exactOptional(flag),
    scope: v.exactOptional(text()),
    signatureAlgorithm: v.exactOptional(v.picklist(signatureAlgorithms, `one of ${signatureAlgorithms.join(', ')}`)),
    keyStoreRef: v.exactOptional(reference('keyStore')),
    keyAlias: v.exactOptional(text()),
    sharedKey: v.exactOptional(secretName('the key of an HS* algorithm')),
    typ: v.exactOptional(v.pipe(text(), v.description('The header typ; none leaves it out.'))),
    certificateThumbprint: v.exactOptional(v.picklist(['none', 'x5t#S256', 'x5t'], 'none, x5t#S256 or x5t')),
    jwkEnabled: v.exactOptional(flag),
    jwkSigningKeySize: v.exactOptional(oneOf([2048, 3072, 4096])),
    jwkRotationTime: v.exactOptional(duration({ least: '4h', bareUnit: 'm', resolutionMilliseconds: 3_600_000 })),
    publishAheadSeconds: v.exactOptional(seconds(0)),
  }),
  keyStore: v.strictObject({ location: secretName('the keys or certificates') }),
  ssl: v.strictObject({
    keyStoreRef: v.exactOptional(reference('keyStore')),
    trustStoreRef: v.exactOptional(reference('keyStore')),
    sslProtocol: v.exactOptional(
      v.picklist(['TLSv1.2', 'TLSv1.3'], 'TLSv1.2 or TLSv1.3, the least version that is accepted'),
    ),
  }),
  sslDefault: v.strictObject({ sslRef: reference('ssl') }),
  authData: v.strictObject({ user: text(), passwordSecret: secretName('the password') }),
} satisfies { [K in Kind]: v.BaseSchema<unknown, Elements[K], v.BaseIssue<unknown>> }
