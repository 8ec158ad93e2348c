import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Connection, LocalConnection } from '../../../lib/configuration/connection.ts'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import {
  assertLines,
  exampleIssuer,
  localDeployment,
  mistakesOf,
  resolveAnyConn,
} from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { localTokenElements } from '../../support/elements/local-token-elements.ts'

async function warningsOf(t: TestContext, elements: RawElements): Promise<readonly string[]> {
  return (await resolveAnyConn(t, elements)).warnings.map(describeFinding)
}

const isLocal = (connection: Connection): connection is LocalConnection => connection.grant?.type === 'authTokenLocal'

async function localTokenOf(t: TestContext, elements: RawElements) {
  const connection = await resolveAnyConn(t, elements)
  assert(isLocal(connection))
  return connection
}

const builder = { jti: false }

test('a token for App Store Connect has exactly its claims, the scope as a list, and draws no warning', async (t) => {
  const elements = localTokenElements({
    builder: {
      issuer: 'an-issuer',
      audiences: 'appstoreconnect-v1',
      signatureAlgorithm: 'ES256',
      expiry: '20m',
      jti: false,
    },
    token: { claims: { scope: ['GET /v1/apps'] } },
  })
  const { grant, warnings } = await localTokenOf(t, elements)
  assert.deepEqual(warnings, [])
  assert.deepEqual(grant.assertion.claims, { scope: ['GET /v1/apps'] })
  assert.deepEqual([grant.assertion.audiences, grant.assertion.expiresInSeconds], [['appstoreconnect-v1'], 1200])
})

test('without issuer, iss of a token is the URL of its builder, until omit names iss', async (t) => {
  const bare = await localTokenOf(t, localTokenElements({ builder: { ...builder, issuer: undefined } }))
  assert.equal(bare.grant.assertion.issuer, `${localDeployment.publicUrl}/jwt/theBuilder`)
  const omitted = await localTokenOf(t, localTokenElements({ builder: { ...builder, issuer: undefined, omit: 'iss' } }))
  assert.deepEqual(omitted.grant.assertion.omitted, ['iss'])
})

test('a token without aud is a warning until omit names aud', async (t) => {
  assertLines(await warningsOf(t, localTokenElements({ builder: { ...builder, audiences: undefined } })), [
    /^jwtBuilder\/theBuilder audiences: The token has no aud: .* Set audiences\. If the API wants no aud, add aud to omit\.$/,
  ])
  const decided = localTokenElements({ builder: { ...builder, audiences: undefined, omit: 'aud' } })
  const { grant, warnings } = await localTokenOf(t, decided)
  assert.deepEqual(warnings.map(describeFinding), [])
  assert.deepEqual(grant.assertion.omitted, ['aud'])
})

test('an assertion for an OAuth 2.0 server must have aud', async (t) => {
  for (const oAuth of [
    {},
    { grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', jwtAuthenticationTokenRef: undefined },
  ])
    assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { builder: { omit: 'aud' }, oAuth })), [
      /^jwtBuilder\/theBuilder omit: It leaves out aud, but this is an assertion for an OAuth 2\.0 server: .*RFC 7523 section 3/,
    ])
})

const mistaken: readonly (readonly [string, Parameters<typeof localTokenElements>[0], RegExp])[] = [
  ['aud, which audiences sets', { builder: { omit: 'aud' } }, /omit: It leaves out aud, but audiences sets it\./],
  [
    'a claim that claims sets',
    { builder: { audiences: undefined, omit: 'aud' }, token: { claims: { aud: 'an-api' } } },
    /omit: It leaves out aud, but claims of authTokenLocal\/theLocalToken sets it\./,
  ],
  [
    'sub, which tokenSubject sets',
    { builder: { omit: 'sub' }, token: { tokenSubject: 'a-user' } },
    /omit: It leaves out sub, but tokenSubject of authTokenLocal\/theLocalToken sets it\./,
  ],
]
for (const [what, changes, message] of mistaken)
  test(`it is a mistake to leave out of a local token ${what}`, async (t) => {
    assertLines(await mistakesOf(t, localTokenElements(changes)), [
      new RegExp(`^jwtBuilder/theBuilder ${message.source}`),
    ])
  })

const setTwice: readonly (readonly [string, Parameters<typeof localTokenElements>[0], RegExp])[] = [
  ['tokenSubject', { token: { tokenSubject: 'a', claimsFromRequest: { sub: ['a'] } } }, /tokenSubject of this element/],
  [
    'claims',
    { token: { claims: { role: 'a' }, claimsFromRequest: { role: ['b'] } } },
    /The claim role is set too, by claims/,
  ],
  ['scope', { builder: { scope: 'a' }, token: { claimsFromRequest: { scope: ['b'] } } }, /The claim scope is set too/],
  [
    'omit',
    { builder: { omit: 'sub' }, token: { claimsFromRequest: { sub: ['a'] } } },
    /leaves out the claim sub with omit/,
  ],
]
for (const [attribute, changes, message] of setTwice)
  test(`a claim of the request that ${attribute} decides too is a mistake`, async (t) => {
    assertLines(await mistakesOf(t, localTokenElements(changes)), [
      new RegExp(`^authTokenLocal/theLocalToken claimsFromRequest: .*${message.source}`),
    ])
  })

const warned: readonly (readonly [string, Parameters<typeof localTokenElements>[0], RegExp])[] = [
  [
    'a jti that nobody decided on',
    {},
    /^authTokenLocal\/theLocalToken cacheTokensWithJti: The token has a jti, so each request gets a token of its own/,
  ],
  [
    'a decision about a jti that no token has',
    { builder, token: { cacheTokensWithJti: true } },
    /^authTokenLocal\/theLocalToken cacheTokensWithJti: It has no effect: the token has no jti/,
  ],
  [
    'several audiences',
    { builder: { ...builder, audiences: ['a', 'b'] } },
    /^jwtBuilder\/theBuilder audiences: The token has several aud/,
  ],
  [
    'more than an hour from iat to exp, as the API counts it',
    { builder: { ...builder, expiresInSeconds: 3600, issuedAtOffset: '-60s' } },
    /^jwtBuilder\/theBuilder expiresInSeconds: The token is valid for 3660 s from its iat/,
  ],
  [
    'less than 10 seconds',
    { builder: { ...builder, expiry: '5s' } },
    /^jwtBuilder\/theBuilder expiry: An API that is slow/,
  ],
  [
    'an iat in the future',
    { builder: { ...builder, issuedAtOffset: '5s' } },
    /^jwtBuilder\/theBuilder issuedAtOffset: The iat would be in the future, and APIs refuse that/,
  ],
  [
    'an nbf in the future',
    { builder: { ...builder, nbfOffset: '5s' } },
    /^jwtBuilder\/theBuilder nbfOffset: The nbf would be in the future, but a caller gets the token/,
  ],
  [
    'a fixed exp',
    { builder, token: { claims: { exp: 2_000_000_000 } } },
    /claims: With a fixed exp, every token expires/,
  ],
  ['a fixed nbf', { builder, token: { claims: { nbf: 1 } } }, /claims: With a fixed nbf, every token is invalid/],
  [
    'a fixed jti',
    { builder, token: { claims: { jti: 'one' }, cacheTokensWithJti: true } },
    /claims: With a fixed jti, an API that detects replays/,
  ],
  [
    'any user',
    { builder, token: { claimsFromRequest: { sub: true } } },
    /^authTokenLocal\/theLocalToken claimsFromRequest: With true, a caller can get a token for every user of the API/,
  ],
  ['no kid', { builder: { ...builder, omit: 'kid' } }, /^jwtBuilder\/theBuilder omit: With jwkEnabled .* Send kid\.$/],
  [
    'warm where each request gets its own token',
    { token: { cacheTokensWithJti: false }, endpoint: { warm: true } },
    /^endpointConnection\/conn warm: It has no effect: each request gets a token of its own/,
  ],
]
for (const [what, changes, message] of warned)
  test(`a local token draws one warning for ${what}`, async (t) => {
    assertLines(await warningsOf(t, localTokenElements(changes)), [message])
  })

test('no warning about a local token speaks of an assertion or an authorization server', async (t) => {
  const elements = localTokenElements({
    builder: { audiences: ['a', 'b'], expiry: 2, issuedAtOffset: '5s', nbfOffset: '5s', omit: 'kid' },
    token: { claims: { exp: 2_000_000_000, jti: 'one' }, claimsFromRequest: { sub: true } },
  })
  const warnings = await warningsOf(t, elements)
  assert.ok(warnings.length >= 7)
  assert.doesNotMatch(warnings.join('\n'), /assertion|authorization server|RFC 7523/)
})

test('a jti that is decided on draws no warning, and a connection of such tokens is not kept warm', async (t) => {
  const { warnings, warming } = await localTokenOf(t, localTokenElements({ token: { cacheTokensWithJti: false } }))
  assert.deepEqual(warnings, [])
  assert.equal(warming, undefined)
  const kept = await localTokenOf(t, localTokenElements({ token: { cacheTokensWithJti: true } }))
  assert.deepEqual(kept.warnings, [])
  assert.ok(kept.warming)
})
