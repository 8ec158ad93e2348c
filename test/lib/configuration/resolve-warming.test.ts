import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveConnection } from '../../../lib/configuration/resolve-connection.ts'
import { exampleIssuer, localDeployment, resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements } from '../../support/elements/elements.ts'
import { type SeveralTokensChanges, severalTokens } from '../../support/virtual/several-tokens.ts'
import { changeableElements } from '../../support/virtual/tokens-in-virtual-time.ts'

const rows: readonly (readonly [string, ElementChanges, object | undefined])[] = [
  ['by default', {}, { idleMilliseconds: 86_400_000, idleLifetimes: 10, maximumVariants: 20 }],
  [
    'where warm is the text true',
    { endpoint: { warm: 'true' } },
    { idleMilliseconds: 86_400_000, idleLifetimes: 10, maximumVariants: 20 },
  ],
  [
    'for as long and as many as the element says',
    { endpoint: { warmIdle: '1m', warmVariants: '100' } },
    { idleMilliseconds: 60_000, maximumVariants: 100 },
  ],
  [
    'up to 30 days',
    { endpoint: { warm: true, warmIdle: '720h', warmVariants: 1 } },
    { idleMilliseconds: 30 * 86_400_000, maximumVariants: 1 },
  ],
  ['not where warm is false', { endpoint: { warm: false } }, undefined],
  ['not where warm is the text false', { endpoint: { warm: 'false', warmIdle: '1h' } }, undefined],
  ['not with the password grant', { oAuth: { grantType: 'password' } }, undefined],
  [
    'not with the password grant, whatever warm says',
    { oAuth: { grantType: 'password' }, endpoint: { warm: true, warmIdle: '1h' } },
    undefined,
  ],
]
for (const [when, changes, warming] of rows)
  test(`tokens are kept warm: ${when}`, async (t) => {
    const server = { authorizationServer: 'theServer', maximumConcurrency: 10 }
    const { warming: resolved } = await resolveConn(t, exampleElements(exampleIssuer, changes))
    assert.deepEqual(resolved, warming && { ...server, ...warming })
  })

test('the password grant draws no warning about attributes that were not set', async (t) => {
  for (const endpoint of [{}, { warm: false }]) {
    const { warnings } = await resolveConn(
      t,
      exampleElements(exampleIssuer, { oAuth: { grantType: 'password' }, endpoint }),
    )
    assert.deepEqual(
      warnings.map(({ attribute }) => attribute),
      ['grantType'],
    )
  }
})

test('fewer warm tokens than a connection has draw a warning, and tokens that are not kept do not count', async (t) => {
  const warnings = async (warmVariants: number, changes: SeveralTokensChanges = {}) => {
    const { warnings: all } = await resolveConn(t, severalTokens({ ...changes, endpoint: { warmVariants } }))
    return all.filter(({ attribute }) => attribute === 'warmVariants').map(({ sentence }) => sentence)
  }
  assert.deepEqual(await warnings(3), [])
  assert.deepEqual(await warnings(2), [
    'It is 2, but the connection has 3 tokens of its own. Each call of the API needs all of them. Set it to 3 or more.',
  ])
  assert.deepEqual(await warnings(2, { signingBuilder: { jti: true } }), [])
})

test('warm runs count the tokens for the first server that issues one, or for the element of a token that Tokenwell signs', async () => {
  const planOf = async (authenticationConfigRef: readonly string[]) => {
    const elements = changeableElements(severalTokens({ endpoint: { authenticationConfigRef } }))
    const connection = await resolveConnection(elements, localDeployment, 'conn')
    return connection.grant && connection.warming?.authorizationServer
  }
  assert.equal(await planOf(['session', 'signed', 'theConfig']), 'theServer')
  assert.equal(await planOf(['signed', 'session']), 'sessionServer')
  assert.equal(await planOf(['signed']), 'authTokenLocal/signed')
})

test('the token of a user whose password each request brings is not kept warm, and attributes about that draw a warning', async (t) => {
  const { warming, warnings } = await resolveConn(t, {
    ...exampleElements(exampleIssuer, {
      endpoint: { authenticationConfigRef: 'theToken', warm: true, warmIdle: '1h' },
    }),
    oAuthConfig: {},
    authToken: {
      theToken: {
        authServerRef: 'theServer',
        tokenRequest: { credentialsFrom: 'caller' },
        tokenResponse: { responseFormat: 'Text' },
      },
    },
  })
  assert.equal(warming, undefined)
  assert.deepEqual(
    warnings.filter(({ element }) => element?.kind === 'endpointConnection').map(({ attribute }) => attribute),
    ['warm', 'warmIdle'],
  )
  const [{ sentence = '' } = {}] = warnings.filter(({ attribute }) => attribute === 'warm')
  assert.match(sentence, /^It has no effect: renewing the token takes the user's password, which only the caller has/)
})
