import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements } from '../../support/elements/elements.ts'
import { ownJwt } from '../../support/elements/own-jwt.ts'

const tokenEndpoint = `${exampleIssuer}/token`

const warned: readonly (readonly [string, ElementChanges, readonly RegExp[]])[] = [
  [
    'an iss that is not the client id, as by default',
    { builder: { issuer: undefined } },
    [/^jwtBuilder\/theBuilder issuer: .*Set issuer to "theClient"\.$/],
  ],
  [
    'an issuer that is not the client id',
    { builder: { issuer: 'theclient' } },
    [/^jwtBuilder\/theBuilder issuer: .*RFC 7523 section 3.*"theClient"/],
  ],
  [
    'an iss in claims that is not the client id',
    { tokenConfig: { claims: { iss: 'another' } } },
    [/^oAuthTokenConfig\/theTokenConfig claims: The iss of the assertion is not the client id.* Set iss in claims to /],
  ],
  [
    'attributes of a key store beside a shared key',
    {
      builder: {
        jwkEnabled: undefined,
        signatureAlgorithm: 'HS256',
        sharedKey: 'tokenwell/local/k',
        keyStoreRef: 'theTrust',
        keyAlias: 'a',
        revokedKeys: 'a',
        jwkSigningKeySize: 4096,
        jwkRotationTime: '24h',
      },
    },
    [
      /keyStoreRef: It has no effect: HS256 signs/,
      /keyAlias: It has no effect/,
      /revokedKeys: It has no effect: HS256 signs/,
      /jwkSigningKeySize: It has no effect/,
      /jwkRotationTime: It has no effect: HS256 signs with sharedKey/,
    ],
  ],
  [
    'the size of a key that has none',
    { builder: { signatureAlgorithm: 'ES256', jwkSigningKeySize: 4096 } },
    [/jwkSigningKeySize: It has no effect: with jwkEnabled, Tokenwell makes the ES256 key itself/],
  ],
  [
    'the size of a key that Tokenwell does not make',
    { builder: { jwkEnabled: false, keyStoreRef: 'theTrust', jwkSigningKeySize: 4096 } },
    [/jwkSigningKeySize: It has no effect: it is only for keys that Tokenwell makes \(jwkEnabled\)/],
  ],
  [
    'the rotation of a key that Tokenwell does not make',
    {
      builder: { jwkEnabled: false, keyStoreRef: 'theTrust', jwkRotationTime: '4h', publishAheadSeconds: 0 },
    },
    [
      /^jwtBuilder\/theBuilder jwkRotationTime: It has no effect: it is only for keys that Tokenwell makes \(jwkEnabled\)\. Take it out\.$/,
      /^jwtBuilder\/theBuilder publishAheadSeconds: It has no effect: it is only for keys that Tokenwell makes \(jwkEnabled\)/,
    ],
  ],
  ['no jti', { builder: { jti: false } }, [/^jwtBuilder\/theBuilder jti: .*replayed/]],
  [
    'an assertion that lives longer than 5 minutes',
    { builder: { expiresInSeconds: 301 } },
    [/^jwtBuilder\/theBuilder expiresInSeconds: .*more than 5 minutes/],
  ],
  [
    'an assertion that lives for less than 10 seconds',
    { builder: { expiresInSeconds: 9 } },
    [/^jwtBuilder\/theBuilder expiresInSeconds: .*at least 10 seconds\.$/],
  ],
  [
    'an expiry in hours, as the original counts it',
    { builder: { expiry: 1 } },
    [/^jwtBuilder\/theBuilder expiry: .*more than 5 minutes/],
  ],
  [
    'an iat in the future',
    { builder: { issuedAtOffset: '1s' } },
    [/^jwtBuilder\/theBuilder issuedAtOffset: .*write -5s/],
  ],
  [
    'the token endpoint as the only audience',
    { builder: { audiences: tokenEndpoint } },
    [/^jwtBuilder\/theBuilder audiences: The aud is the token endpoint, which RFC 7523bis forbids/],
  ],
  [
    'the token endpoint among the audiences',
    { builder: { audiences: [exampleIssuer, tokenEndpoint] } },
    [
      /^jwtBuilder\/theBuilder audiences: The aud is the token endpoint.* Entra ID, Okta, .* add audiences to acceptedWarnings/,
      /^jwtBuilder\/theBuilder audiences: The assertion has several aud.* Name only one\.$/,
    ],
  ],
  [
    'several aud in claims',
    { tokenConfig: { claims: { aud: [exampleIssuer, 'https://b.example'] } } },
    [/^oAuthTokenConfig\/theTokenConfig claims: The assertion has several aud.* Name only one\.$/],
  ],
  [
    'the metadata of OpenID Connect as issuer',
    { server: { issuer: `${exampleIssuer}/realms/a/.well-known/openid-configuration` } },
    [/^authorizationServer\/theServer issuer: .* probably "https:\/\/as\.example\.com\/realms\/a"\.$/],
  ],
  [
    'the metadata of RFC 8414 as audience',
    { builder: { audiences: `${exampleIssuer}/.well-known/oauth-authorization-server/a` } },
    [/^jwtBuilder\/theBuilder audiences: .* probably "https:\/\/as\.example\.com\/a"\.$/],
  ],
  [
    'an encoded blank in the token endpoint',
    { server: { tokenEndpoint: `${tokenEndpoint}%20` } },
    [/^authorizationServer\/theServer tokenEndpoint: It has an encoded space or line break\. /],
  ],
  [
    'scopes separated by commas',
    { oAuth: { scope: 'read,write admin' } },
    [/^oAuthConfig\/theConfig scope: "read,write" is read as one scope\. If you mean several/],
  ],
  [
    'a default scope separated by semicolons',
    { oAuth: { defaultScope: 'a;b', requestMay: { scope: ['a;b'] } } },
    [/^oAuthConfig\/theConfig defaultScope: "a;b" is read as one scope\. /],
  ],
  [
    'several audiences in one text',
    { builder: { audiences: 'https://a.example, https://b.example' } },
    [/^jwtBuilder\/theBuilder audiences: .*write them as a list/],
  ],
  [
    'the token endpoint as aud in claims',
    { tokenConfig: { claims: { aud: [tokenEndpoint] } } },
    [/^oAuthTokenConfig\/theTokenConfig claims: The aud is the token endpoint/],
  ],
  [
    'claims that must change with each assertion',
    { tokenConfig: { claims: { exp: 1893456000, nbf: 1700000000, jti: 'always the same' } } },
    [
      /^oAuthTokenConfig\/theTokenConfig claims: With a fixed exp.*expires.* Take exp out/,
      /^oAuthTokenConfig\/theTokenConfig claims: With a fixed nbf, .*Take nbf out/,
      /^oAuthTokenConfig\/theTokenConfig claims: With a fixed jti, .*replay.*Take jti out/,
    ],
  ],
  [
    'sub and iat in claims, which never take effect',
    { tokenConfig: { claims: { sub: 'another', iat: 1 } } },
    [
      /^oAuthTokenConfig\/theTokenConfig claims: The claim sub has no effect/,
      /^oAuthTokenConfig\/theTokenConfig claims: The claim iat has no effect/,
    ],
  ],
  [
    'the password grant',
    { oAuth: { grantType: 'password' } },
    [/^oAuthConfig\/theConfig grantType: .*RFC 9700 section 2\.4/],
  ],
  [
    'tokens of the password grant to keep warm',
    { oAuth: { grantType: 'password' }, endpoint: { warm: true, warmIdle: '1h', warmVariants: 3 } },
    [
      /^oAuthConfig\/theConfig grantType: /,
      /^endpointConnection\/conn warm: It has no effect: .*takes the user's password/,
      /^endpointConnection\/conn warmIdle: It has no effect: .*takes the user's password/,
      /^endpointConnection\/conn warmVariants: It has no effect: .*takes the user's password/,
    ],
  ],
  [
    'tokens not to be kept warm, and for how long',
    { endpoint: { warm: 'false', warmIdle: '1h' } },
    [/^endpointConnection\/conn warmIdle: It has no effect: warm is false\. Take it out\.$/],
  ],
  [
    'tokens not to be kept warm, and how many',
    { endpoint: { warm: false, warmVariants: 3 } },
    [/^endpointConnection\/conn warmVariants: It has no effect: warm is false\. Take it out\.$/],
  ],
]
for (const [what, changes, patterns] of warned)
  test(`a connection with ${what} resolves with a warning`, async (t) => {
    const { warnings } = await resolveConn(t, exampleElements(exampleIssuer, changes))
    assert(warnings.every(({ severity }) => severity === 'warning'))
    assertLines(warnings.map(describeFinding), patterns)
  })

test('a warning that an element accepts is not given again, and every other one is', async (t) => {
  const acceptedWarnings = ['audiences', 'jti']
  const builder = { audiences: tokenEndpoint, jti: false, expiresInSeconds: '1h', acceptedWarnings }
  const elements = exampleElements(exampleIssuer, {
    builder,
    oAuth: { grantType: 'password', acceptedWarnings: 'jti' },
  })
  const { warnings } = await resolveConn(t, elements)
  assertLines(warnings.map(describeFinding), [/theBuilder expiresInSeconds: /, /theConfig grantType: /])
})

test('acceptedWarnings does not hide a mistake', async (t) => {
  const builder = { jwkEnabled: undefined, acceptedWarnings: ['keyStoreRef'] }
  assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { builder })), [/theBuilder keyStoreRef: /])
})

const unwarned: readonly (readonly [string, ElementChanges])[] = [
  [
    'the iss in claims is the client id',
    { builder: { issuer: 'another' }, tokenConfig: { claims: { iss: 'theClient' } } },
  ],
  ['an assertion lives 5 minutes', { builder: { expiresInSeconds: '5m' } }],
  ['an assertion lives 10 seconds', { builder: { expiresInSeconds: 10 } }],
  ['iat lies in the past', { builder: { issuedAtOffset: '-5s' } }],
  [
    'aud in claims replaces the token endpoint',
    { builder: { audiences: tokenEndpoint }, tokenConfig: { claims: { aud: exampleIssuer } } },
  ],
  ['warm is said to be what it is by default', { endpoint: { warm: true, warmIdle: '24h', warmVariants: 20 } }],
  ['no token is to be kept warm', { endpoint: { warm: false } }],
  ['claims say nothing of the registered ones', { tokenConfig: { claims: { department: 'orders' } } }],
]
for (const [what, changes] of unwarned)
  test(`there is no warning where ${what}`, async (t) => {
    const { warnings } = await resolveConn(t, exampleElements(exampleIssuer, changes))
    assert.deepEqual(warnings.map(describeFinding), [])
  })

test('a claim with a fixed value draws only one warning', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    builder: { jti: false, expiresInSeconds: '1h' },
    tokenConfig: { claims: { jti: 'always the same', exp: 1893456000 } },
  })
  const { warnings } = await resolveConn(t, elements)
  assertLines(warnings.map(describeFinding), [/claims: With a fixed jti/, /claims: With a fixed exp/])
})

test('the resolved connection has the claims without sub and iat', async (t) => {
  const claims = { sub: 'another', iat: 1, iss: 'theClient', department: 'orders' }
  const { clientAuthentication } = await resolveConn(t, exampleElements(exampleIssuer, { tokenConfig: { claims } }))
  assert('assertion' in clientAuthentication)
  assert.equal(ownJwt(clientAuthentication.assertion).subject, 'theClient')
  assert.deepEqual(ownJwt(clientAuthentication.assertion).claims, { iss: 'theClient', department: 'orders' })
})
