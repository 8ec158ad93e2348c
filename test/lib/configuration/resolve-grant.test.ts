import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { jwtBearer, tokenExchange, tokenTypesByShortName } from '../../../lib/configuration/grant-type.ts'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { ownJwt } from '../../support/elements/own-jwt.ts'

/** A connection with the grant jwt-bearer and without client authentication, with these changes. */
function theGrant({ oAuth, ...changes }: ElementChanges = {}): RawElements {
  const grant = { grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', jwtAuthenticationTokenRef: undefined }
  const authData = { theData: { user: 'thePasswordClient', passwordSecret: 'tokenwell/local/password' } }
  return { ...exampleElements(exampleIssuer, { ...changes, oAuth: { ...grant, ...oAuth } }), authData }
}

/** A connection that exchanges a token, without client authentication, with these changes. */
function theExchange({ oAuth, ...changes }: ElementChanges = {}): RawElements {
  const exchange = { grantType: 'token-exchange', subjectTokenRef: 'theTokenConfig', assertionTokenRef: undefined }
  return theGrant({ ...changes, oAuth: { ...exchange, ...oAuth } })
}

test('a grant by assertion needs no client authentication, and its tokens are warmed like others', async (t) => {
  const { grant, clientId, clientAuthentication, warming, warnings } = await resolveConn(t, theGrant())
  assert.ok('assertion' in grant)
  assert.equal(grant.type, jwtBearer)
  assert.deepEqual([ownJwt(grant.assertion).issuer, ownJwt(grant.assertion).subject], ['theClient', 'theClient'])
  assert.deepEqual(clientAuthentication, { method: 'none', sendClientId: false })
  assert.equal(clientId, 'theClient', 'the iss of the assertion')
  assert.ok(warming)
  assert.deepEqual(warnings, [])
})

test('the full name of the grant means the same as the short name', async (t) => {
  const [short, full] = await Promise.all(
    ['jwt-bearer', jwtBearer].map((grantType) => resolveConn(t, theGrant({ oAuth: { grantType } }))),
  )
  assert.deepEqual(short, full)
})

test('the subject may be a user or absent, and draws no warning', async (t) => {
  for (const tokenSubject of ['alice', undefined]) {
    const { grant, warnings } = await resolveConn(t, theGrant({ tokenConfig: { tokenSubject } }))
    assert.ok('assertion' in grant)
    assert.equal(ownJwt(grant.assertion).subject, tokenSubject)
    assert.deepEqual(warnings, [])
  }
})

test('the token endpoint may be the audience of a grant: RFC 7523 section 3 names it', async (t) => {
  const { warnings } = await resolveConn(t, theGrant({ builder: { audiences: `${exampleIssuer}/token` } }))
  assert.deepEqual(warnings, [])
})

test('every method of client authentication is possible beside the grant', async (t) => {
  const byAssertion = await resolveConn(t, theGrant({ oAuth: { jwtAuthenticationTokenRef: 'theTokenConfig' } }))
  assert.equal(byAssertion.clientAuthentication.method, 'private_key_jwt')
  const byPassword = await resolveConn(t, theGrant({ server: { basicAuthRef: 'theData' } }))
  assert.equal(byPassword.clientAuthentication.method, 'client_secret_basic')
  const inBody = { clientAuthentication: 'client_secret_post' }
  const byBody = await resolveConn(t, theGrant({ server: { basicAuthRef: 'theData' }, oAuth: inBody }))
  assert.deepEqual(
    [byBody.clientId, byBody.clientAuthentication],
    ['thePasswordClient', { method: 'client_secret_post', passwordSecret: 'tokenwell/local/password' }],
  )
})

test('a client without authentication sends its clientId', async (t) => {
  const { clientId, clientAuthentication } = await resolveConn(t, theGrant({ oAuth: { clientId: 'public' } }))
  assert.deepEqual([clientId, clientAuthentication], ['public', { method: 'none', sendClientId: true }])
})

test('with clientAuthentication none, a basicAuthRef that others use has no effect', async (t) => {
  const oAuth = { clientAuthentication: 'none' }
  const { clientAuthentication } = await resolveConn(t, theGrant({ server: { basicAuthRef: 'theData' }, oAuth }))
  assert.equal(clientAuthentication.method, 'none')
})

test('a token exchange of a JWT that Tokenwell signs needs no client authentication, and its tokens are warmed', async (t) => {
  const { grant, clientId, clientAuthentication, warming, warnings } = await resolveConn(t, theExchange())
  assert.ok('subject' in grant)
  assert.equal(grant.type, tokenExchange)
  assert.deepEqual(
    [grant.subject.type, ownJwt(grant.subject.assertion).subject],
    [tokenTypesByShortName.jwt, 'theClient'],
  )
  assert.equal('actor' in grant, false)
  assert.deepEqual([clientId, clientAuthentication], ['theClient', { method: 'none', sendClientId: false }])
  assert.ok(warming)
  assert.deepEqual(warnings, [])
})

test('without subjectTokenRef each caller sends the token, the client authenticates, and nothing is warmed', async (t) => {
  const oAuth = { subjectTokenRef: undefined, jwtAuthenticationTokenRef: 'theTokenConfig' }
  const { grant, clientAuthentication, warming, warnings } = await resolveConn(t, theExchange({ oAuth }))
  assert.deepEqual(grant, { type: tokenExchange, subject: {} })
  assert.equal(clientAuthentication.method, 'private_key_jwt')
  assert.equal(warming, undefined)
  assert.deepEqual(warnings, [])
  const warm = await resolveConn(t, theExchange({ oAuth, endpoint: { warm: true } }))
  assertLines(warm.warnings.map(describeFinding), [
    /^endpointConnection\/conn warm: It has no effect: renewing the token takes the subject_token, which only the caller/,
  ])
})

test('a client without authentication that exchanges tokens of callers draws a warning', async (t) => {
  const oAuth = { subjectTokenRef: undefined, clientAuthentication: 'none' }
  const { clientId, warnings } = await resolveConn(t, theExchange({ oAuth }))
  assert.equal(clientId, 'anonymous')
  assertLines(warnings.map(describeFinding), [
    /^oAuthConfig\/theConfig clientAuthentication: Without client authentication, everyone who gets hold of a subject token/,
  ])
})

test('callers may send an actor token where requestMay lists it, with the type of the element', async (t) => {
  const oAuth = { requestMay: { actor_token: true }, actorTokenType: 'jwt' }
  const { grant, warnings } = await resolveConn(t, theExchange({ oAuth }))
  assert.ok('subject' in grant)
  assert.deepEqual(grant.actor, { type: tokenTypesByShortName.jwt })
  assert.deepEqual(warnings, [])
})

test('types of tokens have short names, and any other type is a URI', async (t) => {
  const oAuth = {
    ...{ grantType: tokenExchange, actorTokenRef: 'theTokenConfig' },
    ...{ subjectTokenType: 'id_token', actorTokenType: 'urn:example:badge', requestedTokenType: 'access_token' },
    parameters: { tenant: 't' },
  }
  const { grant, parameters } = await resolveConn(t, theExchange({ oAuth }))
  assert.ok('subject' in grant)
  assert.deepEqual([grant.subject.type, grant.actor?.type], [tokenTypesByShortName.id_token, 'urn:example:badge'])
  assert.deepEqual(parameters.further, { tenant: 't', requested_token_type: tokenTypesByShortName.access_token })
})

test('requestMay may list types, and without a default it draws a warning', async (t) => {
  const requestMay = { requested_token_type: ['urn:a'] }
  const { warnings } = await resolveConn(t, theExchange({ oAuth: { requestMay } }))
  assertLines(warnings.map(describeFinding), [
    /^oAuthConfig\/theConfig requestMay: .*To prevent that, set requestedTokenType\.$/,
  ])
  const withDefault = await resolveConn(t, theExchange({ oAuth: { requestMay, requestedTokenType: 'jwt' } }))
  assert.deepEqual(withDefault.warnings, [])
})

const mistakes: readonly (readonly [string, RawElements, RegExp])[] = [
  [
    'jwt-bearer without an assertion',
    theGrant({ oAuth: { assertionTokenRef: undefined } }),
    /^oAuthConfig\/theConfig assertionTokenRef: The grant type jwt-bearer needs an assertion\. Name the oAuthTokenConfig/,
  ],
  [
    'an assertion with another grant',
    exampleElements(exampleIssuer, { oAuth: { assertionTokenRef: 'theTokenConfig' } }),
    /^oAuthConfig\/theConfig assertionTokenRef: It is for the grant type jwt-bearer\. Set grantType .*or take assertionTokenRef out\.$/,
  ],
  [
    'claims of an assertion with another grant',
    exampleElements(exampleIssuer, { oAuth: { assertionParameters: { scope: 'text' } } }),
    /^oAuthConfig\/theConfig assertionParameters: It is for the grant type jwt-bearer/,
  ],
  [
    'a scope that the jwtBuilder sets too',
    theGrant({ builder: { scope: 'a' }, oAuth: { assertionParameters: { scope: 'text' } } }),
    /^oAuthConfig\/theConfig assertionParameters: .*sets the claim scope too\. Set scope on this element instead\.$/,
  ],
  [
    'a resource that the claims set too',
    theGrant({ tokenConfig: { claims: { resource: 'x' } }, oAuth: { assertionParameters: { resource: 'list' } } }),
    /^oAuthConfig\/theConfig assertionParameters: .*sets the claim resource too/,
  ],
  [
    'a claim of another parameter',
    theGrant({ oAuth: { assertionParameters: { audience: 'text' } } }),
    /^oAuthConfig\/theConfig assertionParameters: Take out audience: only scope and resource can be claims\./,
  ],
  [
    'another form of a claim',
    theGrant({ oAuth: { assertionParameters: { scope: 'json' } } }),
    /^oAuthConfig\/theConfig assertionParameters: The form of scope must be text or list\./,
  ],
  ...(['subjectTokenRef', 'subjectTokenType', 'actorTokenRef', 'actorTokenType', 'requestedTokenType'] as const).map(
    (attribute): readonly [string, RawElements, RegExp] => [
      `${attribute} with another grant`,
      theGrant({ oAuth: { [attribute]: attribute.endsWith('Ref') ? 'theTokenConfig' : 'jwt' } }),
      new RegExp(`^oAuthConfig/theConfig ${attribute}: It is for the grant type token-exchange\\. Set grantType`),
    ],
  ),
  [
    'a token exchange without client authentication, unless it is chosen',
    theExchange({ oAuth: { subjectTokenRef: undefined } }),
    /^oAuthConfig\/theConfig jwtAuthenticationTokenRef: The client has no authentication method\./,
  ],
  [
    'an actor token that both Tokenwell and callers bring',
    theExchange({ oAuth: { actorTokenRef: 'theTokenConfig', requestMay: { actor_token: true } } }),
    /^oAuthConfig\/theConfig requestMay: It lists actor_token, but Tokenwell makes the actor token\./,
  ],
  [
    'an actor token of callers with another grant',
    theGrant({ oAuth: { requestMay: { actor_token: true } } }),
    /^oAuthConfig\/theConfig requestMay: It lists actor_token, which is for the grant type token-exchange\./,
  ],
  [
    'a list of actor tokens',
    theExchange({ oAuth: { requestMay: { actor_token: ['a'] } } }),
    /^oAuthConfig\/theConfig requestMay: The value of actor_token must be true\./,
  ],
  [
    'a subject token in requestMay',
    theExchange({ oAuth: { requestMay: { subject_token: true } } }),
    /^oAuthConfig\/theConfig requestMay: Take out the parameter subject_token: requestMay does not decide about it\./,
  ],
  [
    'a refresh token as the requested type',
    theExchange({ oAuth: { requestedTokenType: 'refresh_token' } }),
    /^oAuthConfig\/theConfig requestedTokenType: Tokenwell gives no refresh token to callers\./,
  ],
  [
    'the type of an actor without an actor',
    theExchange({ oAuth: { actorTokenType: 'jwt' } }),
    /^oAuthConfig\/theConfig actorTokenType: It has no effect without an actor token\./,
  ],
  [
    'a type that is neither a short name nor a URI',
    theExchange({ oAuth: { subjectTokenType: 'saml' } }),
    /^oAuthConfig\/theConfig subjectTokenType: It must be one of jwt, access_token, .*or an absolute URI/,
  ],
  [
    'a parameter that has an attribute of its own',
    theExchange({ oAuth: { parameters: { requested_token_type: 'urn:x' } } }),
    /^oAuthConfig\/theConfig parameters: Take out the parameter requested_token_type: set it with requestedTokenType\./,
  ],
  [
    'claims of the request with another grant',
    exampleElements(exampleIssuer, { oAuth: { claimsFromRequest: { tenant: ['a'] } } }),
    /^oAuthConfig\/theConfig claimsFromRequest: It is for the grant type jwt-bearer/,
  ],
  ...['iss', 'aud', 'exp', 'iat', 'nbf', 'jti'].map(
    (claim) =>
      [
        `the claim ${claim} of the request`,
        theGrant({ oAuth: { claimsFromRequest: { [claim]: ['x'] } } }),
        new RegExp(`^oAuthConfig/theConfig claimsFromRequest: Take out ${claim}: only the elements set this claim\\.`),
      ] as const,
  ),
  [
    'a sub of elements and request',
    theGrant({ oAuth: { claimsFromRequest: { sub: ['alice'] } } }),
    /^oAuthConfig\/theConfig claimsFromRequest: The tokenSubject of the assertion sets the claim sub too\. Take out one of the two\.$/,
  ],
  [
    'a claim of elements and request',
    theGrant({ tokenConfig: { claims: { tenant: 'a' } }, oAuth: { claimsFromRequest: { tenant: ['a'] } } }),
    /^oAuthConfig\/theConfig claimsFromRequest: The elements set the claim tenant of the assertion too\./,
  ],
  [
    'a scope of elements and request',
    theGrant({ builder: { scope: 'a' }, oAuth: { claimsFromRequest: { scope: ['a'] } } }),
    /^oAuthConfig\/theConfig claimsFromRequest: The elements set the claim scope of the assertion too\./,
  ],
  [
    'a parameter and a claim of the request',
    theGrant({ oAuth: { assertionParameters: { scope: 'text' }, claimsFromRequest: { scope: ['a'] } } }),
    /^oAuthConfig\/theConfig claimsFromRequest: The elements set the claim scope of the assertion too\./,
  ],
  [
    'a claim of the request that the jwtBuilder leaves out',
    theGrant({
      ...{ tokenConfig: { tokenSubject: undefined }, builder: { omit: 'sub' } },
      oAuth: { claimsFromRequest: { sub: ['alice'] } },
    }),
    /^oAuthConfig\/theConfig claimsFromRequest: The jwtBuilder of the assertion leaves out the claim sub with omit\./,
  ],
  [
    'no claim of the request',
    theGrant({ oAuth: { claimsFromRequest: {} } }),
    /^oAuthConfig\/theConfig claimsFromRequest: It names no claim\./,
  ],
  [
    'a claim that no parameter can name',
    theGrant({ oAuth: { claimsFromRequest: { 'https://example.com/tenant': ['a'] } } }),
    /^oAuthConfig\/theConfig claimsFromRequest: The name of a claim may have only letters/,
  ],
  ...[false, 'a', [], [''], ['a\nb'], [1], {}, { fromCaller: '' }, { fromCaller: 'x', values: ['a'] }].map(
    (rule) =>
      [
        `the rule ${JSON.stringify(rule)} of a claim`,
        theGrant({ oAuth: { claimsFromRequest: { tenant: rule } } }),
        /^oAuthConfig\/theConfig claimsFromRequest: The value of tenant must be true, a list of texts in one line each, or/,
      ] as const,
  ),
  [
    'a claim among the parameters that a request may set',
    theGrant({ oAuth: { requestMay: { 'claim.tenant': true } } }),
    /^oAuthConfig\/theConfig requestMay: Take out the parameter claim\.tenant: list the claim in claimsFromRequest\.$/,
  ],
  [
    "a client's assertion without subject",
    exampleElements(exampleIssuer, { tokenConfig: { tokenSubject: undefined } }),
    /^oAuthTokenConfig\/theTokenConfig tokenSubject: It is required for the assertion of a client\. Set it to the client id\.$/,
  ],
  [
    'no authentication without an assertion as grant',
    exampleElements(exampleIssuer, {
      oAuth: { clientAuthentication: 'none', jwtAuthenticationTokenRef: undefined },
    }),
    /^oAuthConfig\/theConfig clientAuthentication: none leaves a token request of the grant type client_credentials without a proof of its sender/,
  ],
  [
    'a clientId of a client that authenticates',
    exampleElements(exampleIssuer, { oAuth: { clientId: 'another' } }),
    /^oAuthConfig\/theConfig clientId: It is only for a client without authentication\./,
  ],
  [
    'a method without its credentials: an assertion',
    theGrant({ oAuth: { clientAuthentication: 'private_key_jwt' } }),
    /^oAuthConfig\/theConfig clientAuthentication: private_key_jwt needs an assertion\. .*jwtAuthenticationTokenRef\.$/,
  ],
  [
    'a method without its credentials: a secret',
    theGrant({ oAuth: { clientAuthentication: 'client_secret_post' } }),
    /^oAuthConfig\/theConfig clientAuthentication: client_secret_post needs a client id and a secret\. Set basicAuthRef on authorizationServer\/theServer\.$/,
  ],
  [
    'a method without its credentials: a certificate',
    theGrant({ oAuth: { clientAuthentication: 'tls_client_auth' } }),
    /^oAuthConfig\/theConfig clientAuthentication: tls_client_auth needs the client id\. Set tlsAuthenticationClientId\.$/,
  ],
  [
    'a method of another algorithm',
    exampleElements(exampleIssuer, { oAuth: { clientAuthentication: 'client_secret_jwt' } }),
    /^oAuthConfig\/theConfig clientAuthentication: The algorithm of jwtBuilder\/theBuilder is RS256, which makes this private_key_jwt\./,
  ],
  [
    'the credentials of another method',
    theGrant({
      server: { basicAuthRef: 'theData' },
      oAuth: { clientAuthentication: 'client_secret_basic', jwtAuthenticationTokenRef: 'theTokenConfig' },
    }),
    /^oAuthConfig\/theConfig jwtAuthenticationTokenRef: It has no effect, because clientAuthentication is client_secret_basic\./,
  ],
]
for (const [title, elements, pattern] of mistakes)
  test(`it is a mistake to configure ${title}`, async (t) => {
    assertLines(await mistakesOf(t, elements), [pattern])
  })

test('with clientAuthentication, a server may have a basicAuthRef for its other clients', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    server: { basicAuthRef: 'theData' },
    oAuth: { clientAuthentication: 'private_key_jwt' },
  })
  const authData = { theData: { user: 'another', passwordSecret: 'tokenwell/local/password' } }
  const { clientId, clientAuthentication } = await resolveConn(t, { ...elements, authData })
  assert.deepEqual([clientId, clientAuthentication.method], ['theClient', 'private_key_jwt'])
})

test('account_credentials needs account_id in parameters, and is a plain grant otherwise', async (t) => {
  const zoom = (parameters?: object) => theGrant({ oAuth: { ...accountGrant, parameters } })
  const accountGrant = {
    ...{ grantType: 'account_credentials', assertionTokenRef: undefined },
    jwtAuthenticationTokenRef: 'theTokenConfig',
  }
  const { grant, warming, warnings } = await resolveConn(t, zoom({ account_id: 'x' }))
  assert.deepEqual([grant, warnings], [{ type: 'account_credentials' }, []])
  assert.ok(warming)
  const expected = [
    /^oAuthConfig\/theConfig parameters: The grant type account_credentials needs the parameter account_id/,
  ]
  assertLines(await mistakesOf(t, zoom()), expected)
  assertLines(await mistakesOf(t, zoom({ tenant: 'x' })), expected)
})

test('a claim with true draws a warning, and a request for users is never warmed', async (t) => {
  const forUsers = { tokenConfig: { tokenSubject: undefined } }
  const rules = [{ sub: true }, { sub: ['alice'] }, { sub: { fromCaller: 'email' } }, { pid: true }, { tenant: ['a'] }]
  for (const claimsFromRequest of rules) {
    const { grant, warming, warnings } = await resolveConn(t, theGrant({ ...forUsers, oAuth: { claimsFromRequest } }))
    assert.ok('claimsFromRequest' in grant)
    assert.deepEqual(grant.claimsFromRequest, claimsFromRequest)
    const [rule] = Object.values(claimsFromRequest)
    assert.equal(warnings.length, rule === true ? 1 : 0)
    if (rule === true) assert.match(String(warnings[0]?.sentence), /^With true, a caller can /)
    assert.equal(warming !== undefined, 'tenant' in claimsFromRequest)
  }
  const endpoint = { warm: true, warmIdle: '2h' }
  const { warnings } = await resolveConn(
    t,
    theGrant({ ...forUsers, endpoint, oAuth: { claimsFromRequest: { sub: ['alice'] } } }),
  )
  assert.deepEqual(
    warnings.map(({ attribute }) => attribute),
    ['warm', 'warmIdle'],
  )
  assert.match(
    String(warnings[0]?.sentence),
    /^It has no effect: each token is for a user, and only the request names the user/,
  )
})
