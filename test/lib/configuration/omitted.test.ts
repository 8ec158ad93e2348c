import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements } from '../../support/elements/elements.ts'
import { ownJwt } from '../../support/elements/own-jwt.ts'

const asGrant = { grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', jwtAuthenticationTokenRef: undefined }

const mistaken: readonly (readonly [string, ElementChanges, RegExp])[] = [
  ['iss, which issuer sets', { builder: { omit: 'iss' } }, /It leaves out iss, but issuer sets it\./],
  ['nbf, which nbfOffset sets', { builder: { omit: 'nbf', nbfOffset: 0 } }, /leaves out nbf, but nbfOffset sets it\./],
  [
    'iat, which issuedAtOffset moves',
    { builder: { omit: ['iat'], issuedAtOffset: '-5s' } },
    /leaves out iat, but issuedAtOffset sets it\./,
  ],
  ['jti, which jti demands', { builder: { omit: 'jti', jti: true } }, /leaves out jti, but jti sets it\./],
  ...(['iss', 'sub', 'nbf', 'iat', 'jti'] as const).map((name) => {
    const value = name === 'nbf' || name === 'iat' ? 1_700_000_000 : 'a text'
    const changes = { builder: { issuer: undefined, omit: name }, tokenConfig: { claims: { [name]: value } } }
    const message = new RegExp(`leaves out ${name}, but claims of oAuthTokenConfig/theTokenConfig sets it\\.`)
    return [`${name}, which claims set`, changes, message] as const
  }),
  [
    'the subject of a grant, which tokenSubject sets',
    { builder: { omit: 'sub' }, oAuth: asGrant },
    /leaves out sub, but tokenSubject of oAuthTokenConfig\/theTokenConfig sets it\./,
  ],
]
for (const [what, changes, message] of mistaken)
  test(`it is a mistake to leave out ${what}`, async (t) => {
    const lines = await mistakesOf(t, exampleElements(exampleIssuer, changes))
    assertLines(lines, [new RegExp(`^jwtBuilder/theBuilder omit: .*${message.source}`)])
  })

async function warningsOf(t: Parameters<typeof resolveConn>[0], changes: ElementChanges): Promise<readonly string[]> {
  return (await resolveConn(t, exampleElements(exampleIssuer, changes))).warnings.map(describeFinding)
}

test('a client may leave out sub and iss, with warnings that name the RFC and can be accepted', async (t) => {
  const builder = { issuer: undefined, omit: ['sub', 'iss'] }
  assertLines(await warningsOf(t, { builder }), [
    /^jwtBuilder\/theBuilder omit: RFC 7523 section 3 requires sub, /,
    /^jwtBuilder\/theBuilder omit: RFC 7523 section 3 requires iss, /,
  ])
  const { clientId, clientAuthentication, warnings } = await resolveConn(
    t,
    exampleElements(exampleIssuer, { builder: { ...builder, acceptedWarnings: 'omit' } }),
  )
  assert.deepEqual(warnings, [])
  assert.equal(clientId, 'theClient')
  assert.ok('assertion' in clientAuthentication)
  assert.deepEqual(ownJwt(clientAuthentication.assertion).omitted, ['sub', 'iss'])
})

test('the client id stays required where the assertion has no sub', async (t) => {
  const changes = { builder: { omit: 'sub' }, tokenConfig: { tokenSubject: undefined } }
  const lines = await mistakesOf(t, exampleElements(exampleIssuer, changes))
  assertLines(lines, [/^oAuthTokenConfig\/theTokenConfig tokenSubject: It is required/])
})

test('the subject of a grant may be left out twice, and needs no warning', async (t) => {
  const changes = { builder: { omit: 'sub' }, tokenConfig: { tokenSubject: undefined }, oAuth: asGrant }
  assert.deepEqual(await warningsOf(t, changes), [])
})

test('an assertion without jti draws the same warning, however it is left out', async (t) => {
  for (const [builder, attribute] of [
    [{ omit: 'jti' }, 'omit'],
    [{ jti: false, omit: 'jti' }, 'omit'],
    [{ jti: false }, 'jti'],
  ] as const)
    assertLines(await warningsOf(t, { builder }), [
      new RegExp(`^jwtBuilder/theBuilder ${attribute}: An assertion without jti can be replayed`),
    ])
})

test('the JWT for a token server that does not speak OAuth 2.0 may have no jti and no aud', async (t) => {
  for (const omitted of [{ omit: ['jti', 'aud'] }, { jti: false, omit: 'aud' }]) {
    const elements = exampleElements(exampleIssuer, { builder: { ...omitted, audiences: undefined } })
    const { oAuthConfig: _, ...rest } = elements
    const authToken = {
      theConfig: {
        authServerRef: 'theServer',
        jwtAuthenticationTokenRef: 'theTokenConfig',
        tokenResponse: { responseFormat: 'JSON', tokenPath: 'token' },
      },
    }
    const { warnings } = await resolveConn(t, { ...rest, authToken })
    assert.deepEqual(warnings.map(describeFinding), [])
  }
})

test('iat, nbf and kid may be left out without a warning', async (t) => {
  const builder = { omit: ['iat', 'nbf', 'kid'], jwkEnabled: undefined, keyStoreRef: 'theTrust', x5c: true }
  assert.deepEqual(await warningsOf(t, { builder }), [])
})

test('with keys that Tokenwell publishes, kid is needed unless the header has the certificate', async (t) => {
  assertLines(await warningsOf(t, { builder: { omit: 'kid' } }), [
    /^jwtBuilder\/theBuilder omit: With jwkEnabled the JWK set has several keys/,
  ])
  for (const builder of [{ x5c: true }, { certificateThumbprint: 'x5t' }])
    assert.deepEqual(await warningsOf(t, { builder: { ...builder, omit: 'kid' } }), [])
})
