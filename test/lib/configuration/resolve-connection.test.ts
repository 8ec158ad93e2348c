import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JwtOfSecret } from '../../../lib/configuration/assertion-configuration.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { UnknownConnectionError } from '../../../lib/configuration/finding.ts'
import { resolveConnection } from '../../../lib/configuration/resolve-connection.ts'
import { elementStoreOf, exampleIssuer, localDeployment, resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { ownJwt } from '../../support/elements/own-jwt.ts'

test('a connection with only required attributes gets all defaults', async (t) => {
  const connection = await resolveConn(t, {
    jwtBuilder: { theBuilder: {} },
    oAuthTokenConfig: { theTokenConfig: { tokenGeneratorRef: 'theBuilder', tokenSubject: 'theClient' } },
    authorizationServer: { theServer: { tokenEndpoint: `${exampleIssuer}/token?tenant=a`, issuer: exampleIssuer } },
    oAuthConfig: { theConfig: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig' } },
    endpointConnection: { conn: { authenticationConfigRef: 'theConfig' } },
    keyStore: { defaultKeyStore: { location: 'tokenwell/local/default-key' } },
  })

  const { warnings, ...rest } = connection
  assert.equal(warnings.length, 1, 'only that iss is not the client id')
  assert.deepEqual(rest, {
    name: 'conn',
    elements: [
      'endpointConnection/conn',
      'oAuthConfig/theConfig',
      'authorizationServer/theServer',
      'oAuthTokenConfig/theTokenConfig',
      'jwtBuilder/theBuilder',
      'keyStore/defaultKeyStore',
    ],
    authentication: { kind: 'oAuthConfig', id: 'theConfig' },
    carrier: { header: 'authorization', isBearer: true, rejection: 'invalid_token' },
    grant: { type: 'client_credentials' },
    clientId: 'theClient',
    clientAuthentication: {
      method: 'private_key_jwt',
      sendClientId: false,
      assertion: {
        issuer: 'https://tokenwell.example/jwt/theBuilder',
        subject: 'theClient',
        audiences: [exampleIssuer],
        expiresInSeconds: 120,
        issuedAtOffsetSeconds: 0,
        hasJwtId: true,
        claims: {},
        algorithm: 'RS256',
        type: 'JWT',
        certificateThumbprint: 'none',
        key: { jwtBuilder: 'theBuilder', location: 'tokenwell/local/default-key' },
      },
    },
    authorizationServer: {
      id: 'theServer',
      issuer: exampleIssuer,
      tokenEndpoint: `${exampleIssuer}/token?tenant=a`,
      tls: { minimumVersion: 'TLSv1.2' },
      connectTimeoutMilliseconds: 3_000,
      receiveTimeoutMilliseconds: 8_000,
      maximumConcurrency: 10,
      coolDownSeconds: 30,
      lifetime: { assumedLifetimeSeconds: 300 },
    },
    parameters: { scope: [], resource: [], further: {} },
    warming: {
      authorizationServer: 'theServer',
      maximumConcurrency: 10,
      ...{ idleMilliseconds: 86_400_000, idleLifetimes: 10, maximumVariants: 20 },
    },
  })
})

test('attributes of elements replace all defaults', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    builder: {
      audiences: ['https://a.example', 'https://b.example'],
      expiresInSeconds: '1m30s',
      nbfOffset: '5s',
      issuedAtOffset: '-10s',
      jti: false,
      scope: 'a b',
      signatureAlgorithm: 'ES256',
      jwkEnabled: false,
      keyStoreRef: 'theKeys',
      keyAlias: 'theAlias',
      typ: 'client-authentication+jwt',
      certificateThumbprint: 'x5t#S256',
    },
    server: {
      connectionTimeout: '500ms',
      receiveTimeout: 4,
      assumedLifetimeSeconds: 60,
      maximumLifetimeSeconds: 600,
      marginSeconds: 0,
      maximumConcurrency: 3,
      coolDownSeconds: '5',
    },
    oAuth: {
      grantType: 'password',
      jwtAuthenticationSetClientId: true,
      scope: 'read write read',
      resource: 'https://api.example.com',
      audience: 'theAudience',
      parameters: { tenant: 'a' },
      requestMay: { scope: ['read'], audience: true },
    },
  })
  elements['endpointConnection'] = {
    conn: {
      authenticationConfigRef: 'theConfig',
      host: 'https://api.example.com',
      port: 8443,
      domainBasePath: '/orders',
    },
  }
  elements['keyStore'] = { ...elements['keyStore'], theKeys: { location: 'tokenwell/local/the-keys' } }
  const connection = await resolveConn(t, elements)

  const { warnings: _, clientAuthentication, authorizationServer, ...rest } = connection
  assert.deepEqual(clientAuthentication, {
    method: 'private_key_jwt',
    sendClientId: true,
    assertion: {
      issuer: 'theClient',
      subject: 'theClient',
      audiences: ['https://a.example', 'https://b.example'],
      expiresInSeconds: 90,
      issuedAtOffsetSeconds: -10,
      notBeforeOffsetSeconds: 5,
      hasJwtId: false,
      scope: 'a b',
      claims: {},
      algorithm: 'ES256',
      type: 'client-authentication+jwt',
      certificateThumbprint: 'x5t#S256',
      key: { jwtBuilder: 'theBuilder', location: 'tokenwell/local/the-keys', alias: 'theAlias' },
    },
  })
  assert.deepEqual(authorizationServer, {
    id: 'theServer',
    issuer: exampleIssuer,
    tokenEndpoint: `${exampleIssuer}/token`,
    tls: { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/local/authorization-server-ca' },
    connectTimeoutMilliseconds: 500,
    receiveTimeoutMilliseconds: 4_000,
    maximumConcurrency: 3,
    coolDownSeconds: 5,
    lifetime: { assumedLifetimeSeconds: 60, maximumLifetimeSeconds: 600, marginSeconds: 0 },
  })
  assert.deepEqual(rest, {
    name: 'conn',
    elements: [
      'endpointConnection/conn',
      'oAuthConfig/theConfig',
      'authorizationServer/theServer',
      'ssl/defaultSSLConfig',
      'keyStore/theTrust',
      'oAuthTokenConfig/theTokenConfig',
      'jwtBuilder/theBuilder',
      'keyStore/theKeys',
    ],
    api: {
      origin: 'https://api.example.com:8443',
      basePath: '/orders',
      tls: { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/local/authorization-server-ca' },
      connectTimeoutMilliseconds: 30_000,
      receiveTimeoutMilliseconds: 60_000,
    },
    authentication: { kind: 'oAuthConfig', id: 'theConfig' },
    carrier: { header: 'authorization', isBearer: true, rejection: 'invalid_token' },
    grant: { type: 'password' },
    clientId: 'theClient',
    parameters: {
      scope: ['read', 'write'],
      resource: ['https://api.example.com'],
      audience: 'theAudience',
      further: { tenant: 'a' },
    },
    requestMay: { scope: ['read'], audience: true },
  })
})

test('flags and numbers may be texts, as in z/OS Connect', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    builder: { jti: 'false', jwkEnabled: 'true', jwkSigningKeySize: '3072', expiresInSeconds: '90' },
    server: { maximumConcurrency: '7', assumedLifetimeSeconds: '60', receiveTimeout: '4' },
    oAuth: { jwtAuthenticationSetClientId: 'true' },
  })
  elements['endpointConnection'] = {
    conn: { authenticationConfigRef: 'theConfig', host: 'https://api.example.com', port: '9443' },
  }
  const connection = await resolveConn(t, elements)

  assert.equal(connection.api?.origin, 'https://api.example.com:9443')
  assert.equal(connection.authorizationServer.maximumConcurrency, 7)
  assert.equal(connection.authorizationServer.lifetime.assumedLifetimeSeconds, 60)
  assert.equal(connection.authorizationServer.receiveTimeoutMilliseconds, 4_000)
  assert.equal('sendClientId' in connection.clientAuthentication && connection.clientAuthentication.sendClientId, true)
  const { hasJwtId, expiresInSeconds, key } = assertionOf(connection)
  assert.equal(hasJwtId, false)
  assert.equal(expiresInSeconds, 90)
  assert.equal(key.generated?.modulusLength, 3072)
})

test('basicAuthRef makes the client authenticate with user and password', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    oAuth: { jwtAuthenticationTokenRef: undefined },
    server: { basicAuthRef: 'theClient' },
  })
  const authData = { theClient: { user: 'basic-client', passwordSecret: 'tokenwell/local/basic-password' } }
  const connection = await resolveConn(t, { ...elements, authData })
  assert.equal(connection.clientId, 'basic-client')
  assert.deepEqual(connection.clientAuthentication, {
    method: 'client_secret_basic',
    passwordSecret: 'tokenwell/local/basic-password',
  })
})

test('a resolved connection is frozen to its last leaf', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    builder: { issuer: 'not the client' },
    tokenConfig: { claims: { nested: { list: [{ leaf: 1 }] } } },
    oAuth: { scope: 'a', resource: ['https://a.example'], parameters: { a: 'b' }, requestMay: { scope: ['a'] } },
  })
  const loose = looseParts(
    await resolveConnection(await elementStoreOf(t, elements), localDeployment, 'conn'),
    'connection',
  )
  assert.deepEqual(loose, [])
})

function looseParts(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.entries(value).flatMap(([name, member]) => looseParts(member, `${path}.${name}`))
  return Object.isFrozen(value) ? inside : [path, ...inside]
}

test('a name that is not configured is unknown, even if it differs only in case', async (t) => {
  const store = await elementStoreOf(t, exampleElements(exampleIssuer))
  for (const name of ['other', 'Conn', '', '__proto__', '../conn'])
    await assert.rejects(resolveConnection(store, localDeployment, name), UnknownConnectionError)
})

function assertionOf({ clientAuthentication }: ServedConnection): JwtOfSecret {
  assert('assertion' in clientAuthentication)
  return ownJwt(clientAuthentication.assertion)
}
