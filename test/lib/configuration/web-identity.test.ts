import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'

/** A connection whose assertion AWS signs, with these changes. */
function elementsOf({ tokenConfig, ...changes }: ElementChanges = {}, awsWebIdentity: object = {}): RawElements {
  const { jwtBuilder: _, ...elements } = exampleElements(exampleIssuer, {
    ...changes,
    tokenConfig: { tokenGeneratorRef: 'theIdentity', tokenSubject: undefined, ...tokenConfig },
  })
  return { ...elements, awsWebIdentity: { theIdentity: { audience: exampleIssuer, ...awsWebIdentity } } }
}

test('only audience is required, and the JWT then lives for 5 minutes and is signed with ES384 for the role of the stage', async (t) => {
  const { clientAuthentication, clientId, warnings } = await resolveConn(t, elementsOf())
  assert.deepEqual(clientAuthentication, {
    method: 'private_key_jwt',
    sendClientId: false,
    assertion: {
      awsWebIdentity: 'theIdentity',
      audiences: [exampleIssuer],
      algorithm: 'ES384',
      durationSeconds: 300,
      tags: {},
      hasOwnRole: false,
    },
  })
  assert.equal(clientId, 'theIdentity')
  assert.deepEqual(warnings, [])
})

const grant = { grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', jwtAuthenticationTokenRef: undefined }

const mistakes: readonly (readonly [string, ElementChanges, object, readonly RegExp[]])[] = [
  [
    'a subject and claims',
    { tokenConfig: { tokenSubject: 'theClient', claims: { a: 'b' } } },
    {},
    [/tokenSubject: AWS signs the JWT of awsWebIdentity\/theIdentity/, /claims: AWS signs the JWT/],
  ],
  [
    'no audience, beside a client id, which is right with AWS',
    { oAuth: { clientId: 'theClient' } },
    { audience: undefined },
    [/awsWebIdentity\/theIdentity audience: It is required but missing/],
  ],
  [
    'another method than private_key_jwt',
    { oAuth: { clientAuthentication: 'client_secret_jwt' } },
    {},
    [/clientAuthentication: AWS signs .* Set this attribute to private_key_jwt\.$/],
  ],
  [
    'the client id as the sub of the JWT',
    { oAuth: { jwtAuthenticationSetClientId: true } },
    {},
    [/jwtAuthenticationSetClientId: The sub of the JWT is a role of AWS/],
  ],
  [
    'claims of a request and of parameters',
    { oAuth: { ...grant, claimsFromRequest: { sub: ['alice'] }, assertionParameters: { scope: 'text' } } },
    {},
    [/claimsFromRequest: AWS signs the JWT/, /assertionParameters: AWS signs the JWT/],
  ],
  [
    'a JWT that would outlive its session',
    {},
    { durationSeconds: 3301 },
    [/awsWebIdentity\/theIdentity durationSeconds: .*3300/],
  ],
  [
    'tags that AWS or Tokenwell writes',
    {},
    { tags: { 'tokenwell:stage': 'prod', 'AWS:team': 'a' } },
    [/Give tokenwell:stage another name/, /Give AWS:team another name/],
  ],
  [
    'two tags with one name',
    {},
    { tags: { Team: 'a', team: 'b' } },
    [/tags: .*the same name but for upper and lower case/],
  ],
]
for (const [what, changes, attributes, patterns] of mistakes)
  test(`a mistake: ${what}`, async (t) => {
    assertLines(await mistakesOf(t, elementsOf(changes, attributes)), patterns)
  })

const warned: readonly (readonly [string, ElementChanges, object, readonly RegExp[]])[] = [
  [
    'an aud that is not the issuer',
    {},
    { audience: 'api://other' },
    [/awsWebIdentity\/theIdentity audience: The aud is not the issuer .* Set it to https:\/\/as\.example\.com\./],
  ],
  [
    'several aud',
    {},
    { audience: [exampleIssuer, 'another'] },
    [/awsWebIdentity\/theIdentity audience: The JWT has several aud/],
  ],
  [
    'a long-lived assertion of a client',
    {},
    { durationSeconds: 301 },
    [/awsWebIdentity\/theIdentity durationSeconds: Many servers refuse/],
  ],
  [
    'the URL of metadata as aud',
    { server: { issuer: undefined } },
    { audience: `${exampleIssuer}/.well-known/openid-configuration` },
    [/awsWebIdentity\/theIdentity audience: It is the URL of the server's metadata/],
  ],
]
for (const [what, changes, attributes, patterns] of warned)
  test(`a warning: ${what}`, async (t) => {
    const elements = elementsOf(changes, attributes)
    assertLines((await resolveConn(t, elements)).warnings.map(describeFinding), patterns)
    const [pattern] = patterns
    const attribute = String(pattern).includes('audience') ? 'audience' : 'durationSeconds'
    const accepted = { ...attributes, acceptedWarnings: [attribute] }
    assert.deepEqual((await resolveConn(t, elementsOf(changes, accepted))).warnings, [])
  })

test('a long-lived JWT of a grant draws no warning: a server may give a token that ends with it', async (t) => {
  const { warnings } = await resolveConn(
    t,
    elementsOf({ oAuth: grant }, { durationSeconds: 3300, audience: 'account' }),
  )
  assert.deepEqual(warnings, [])
})

test('a token that Tokenwell hands out is never signed by AWS, and the mistake says why', async (t) => {
  const { oAuthConfig: _, ...elements } = elementsOf()
  const authTokenLocal = { theConfig: { tokenGeneratorRef: 'theIdentity' } }
  assertLines(await mistakesOf(t, { ...elements, authTokenLocal }), [
    /authTokenLocal\/theConfig tokenGeneratorRef: It names awsWebIdentity\/theIdentity, but callers never get a JWT of AWS/,
  ])
})

test('an id that a jwtBuilder has too is a mistake', async (t) => {
  const { jwtBuilder } = exampleElements(exampleIssuer)
  const both = { ...elementsOf(), jwtBuilder: { theIdentity: jwtBuilder?.['theBuilder'] ?? {} } }
  assertLines(await mistakesOf(t, both), [/tokenGeneratorRef: A jwtBuilder and an awsWebIdentity have this id/])
})
