import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import {
  assertLines,
  exampleIssuer,
  findingsOf,
  localDeployment,
  mistakesOf,
} from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const jwk = privateKey.export({ format: 'jwk' })
const symmetricJwk = { kty: 'oct', k: 'c2VjcmV0IHNlY3JldCBzZWNyZXQ' }
const encoded = 'bm90IHJlYWxseSBoaWRkZW4'
const signedToken = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0aGVDbGllbnQifQ.${encoded}`

/** The parts that would reveal each secret. */
const telltales = [pem.split('\n')[1] ?? pem, String(jwk.d), symmetricJwk.k, encoded, 'hunter2']

const secrets: readonly (readonly [string, unknown, RegExp])[] = [
  ['a private key in PEM', pem, /It holds a private key in PEM/],
  ['a private key in PEM after a comment', `the key:\n${pem}`, /It holds a private key in PEM/],
  ['a password in the encoding of the original', `{xor}${encoded}`, /It holds an encoded password/],
  ['an encrypted password of the original', `{AES}${encoded}`, /It holds an encoded password/],
  ['a signed token', signedToken, /It holds a signed token/],
  ['a private JWK as text', JSON.stringify(jwk), /It holds a private JWK/],
  ['a symmetric JWK as text', JSON.stringify(symmetricJwk, undefined, 2), /It holds a private JWK/],
]

/** Attributes that take a text, including all where a user would write a secret. */
const places = [
  ['keyStore', 'location'],
  ['authData', 'passwordSecret'],
  ['authData', 'user'],
  ['jwtBuilder', 'sharedKey'],
  ['jwtBuilder', 'keyStoreRef'],
  ['jwtBuilder', 'keyAlias'],
  ['jwtBuilder', 'issuer'],
  ['ssl', 'trustStoreRef'],
  ['ssl', 'keyStoreRef'],
  ['oAuthConfig', 'audience'],
  ['authorizationServer', 'basicAuthRef'],
  ['authorizationServer', 'maximumConcurrency'],
  ['endpointConnection', 'port'],
  ['jwtBuilder', 'expiresInSeconds'],
  ['jwtBuilder', 'signatureAlgorithm'],
  ['authorizationServer', 'tokenEndpoint'],
  ['endpointConnection', 'authenticationConfigRef'],
] as const

for (const [what, secret, pattern] of secrets)
  test(`${what} in an element is a mistake whose finding does not repeat it`, async (t) => {
    for (const [kind, attribute] of places) {
      const lines = await findingsOf(t, { [kind]: { theElement: { [attribute]: secret } } })
      assertHidden(lines)
      const ofAttribute = lines.filter((line) => line.startsWith(`${kind}/theElement ${attribute}: It holds`))
      assertLines(ofAttribute, [pattern])
    }
  })

test('a secret is found at any depth in claims, parameters and lists', async (t) => {
  const hidden = [
    { tokenConfig: { claims: { cnf: { jwk } } } },
    { tokenConfig: { claims: { keys: [symmetricJwk] } } },
    { tokenConfig: { claims: JSON.stringify({ cnf: { jwk } }) } },
    { tokenConfig: { claims: JSON.stringify({ a: `{xor}${encoded}`, b: signedToken }) } },
    { tokenConfig: { claims: { deep: [{ deeper: [pem] }] } } },
    { oAuth: { parameters: { assertion: signedToken } } },
    { builder: { audiences: ['https://a.example', `{xor}${encoded}`] } },
  ]
  for (const changes of hidden) {
    const lines = await mistakesOf(t, exampleElements(exampleIssuer, changes))
    assertHidden(lines)
    assertLines(lines, [/^\w+\/\w+ (claims|parameters|audiences): It holds .*Keep it in the secret store/])
  }
})

test('a public key in claims is not a secret', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    tokenConfig: { claims: { cnf: { jwk: publicKey.export({ format: 'jwk' }) } } },
  })
  assert.deepEqual(await findingsOf(t, elements), [])
})

test('the finding for an attribute whose name suggests a secret points to the secret store', async (t) => {
  for (const name of ['clientSecret', 'sharedSecretValue', 'apiKey', 'private_key', 'passphrase', 'credentials']) {
    const lines = await mistakesOf(t, exampleElements(exampleIssuer, { server: { [name]: 'hunter2' } }))
    assertHidden(lines)
    assertLines(lines, [
      new RegExp(`^authorizationServer/theServer ${name}: .*its name suggests a secret.*secret store`),
    ])
  }
})

test("the finding for z/OS Connect's password attribute points to passwordSecret", async (t) => {
  const elements = {
    authData: { theClient: { user: 'u', password: 'hunter2', passwordSecret: 'tokenwell/local/p' } },
    keyStore: { theKeys: { location: 'tokenwell/local/keys', password: `{xor}${encoded}` } },
  }
  const lines = await findingsOf(t, elements)
  assertHidden(lines)
  assertLines(lines, [
    /^authData\/theClient password: .*An element never holds a secret.*passwordSecret/,
    /^keyStore\/theKeys password: .*An element never holds a secret/,
  ])
})

test("a secret's name must begin with the stage of the deployment, and the finding does not repeat another name", async (t) => {
  const outside = [
    'hunter2',
    'tokenwell/hunter2',
    'tokenwell/prod/hunter2',
    'Tokenwell/local/hunter2',
    'tokenwell/local',
    'tokenwell/local/',
    'tokenwell/local//hunter2',
    'tokenwell/local/../prod/hunter2',
    'tokenwell/local/./hunter2',
    'tokenwell/local/..\\hunter2',
    'tokenwell/local/a hunter2',
    '/tokenwell/local/hunter2',
    'arn:aws:secretsmanager:eu-central-1:111122223333:secret:tokenwell/local/hunter2',
  ]
  for (const name of outside) {
    const lines = await findingsOf(t, {
      keyStore: { theElement: { location: name } },
      authData: { theElement: { user: 'u', passwordSecret: name } },
      jwtBuilder: { theElement: { signatureAlgorithm: 'HS256', sharedKey: name } },
    })
    assertHidden(lines)
    assertLines(lines, [
      /^keyStore\/theElement location: .*under tokenwell\/local\//,
      /^authData\/theElement passwordSecret: .*under tokenwell\/local\//,
      /^jwtBuilder\/theElement sharedKey: .*under tokenwell\/local\//,
    ])
    const isOfAnotherStage = /: It names a secret of another stage\. .* with --stage\.$/.test(lines[0] ?? '')
    assert.equal(isOfAnotherStage, name === 'tokenwell/prod/hunter2', name)
  }
})

test("no element names the cache's secret or a key that Tokenwell makes", async (t) => {
  const deployment = { ...localDeployment, cacheSecret: 'tokenwell/local/of-the-cache' }
  for (const name of ['tokenwell/local/cache', 'tokenwell/local/jwk/theBuilder', 'tokenwell/local/of-the-cache']) {
    const elements = {
      keyStore: { theElement: { location: name } },
      authData: { theElement: { user: 'u', passwordSecret: name } },
      jwtBuilder: { theElement: { signatureAlgorithm: 'HS256', sharedKey: name } },
    }
    assertLines(await findingsOf(t, elements, deployment), [
      /^keyStore\/theElement location: It must name another secret: the secret of the cache/,
      /^authData\/theElement passwordSecret: It must name another secret: the secret of the cache/,
      /^jwtBuilder\/theElement sharedKey: It must name another secret: the secret of the cache/,
    ])
  }
  const others = { keyStore: { a: { location: 'tokenwell/local/jwks' }, b: { location: 'tokenwell/local/cache-2' } } }
  assert.deepEqual(await findingsOf(t, others, deployment), [])
})

test('the stage decides which names of secrets are accepted', async (t) => {
  const elements = { keyStore: { theKeys: { location: 'tokenwell/prod/keys/the-keys' } } }
  assert.deepEqual(await findingsOf(t, elements, { ...localDeployment, stage: 'prod' }), [])
  assertLines(await findingsOf(t, elements), [/^keyStore\/theKeys location: /])
})

function assertHidden(lines: readonly string[]): void {
  for (const telltale of telltales) assert.equal(lines.join('\n').includes(telltale), false, 'a secret is repeated')
}
