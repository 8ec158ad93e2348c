import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { ConfigurationError } from '../../lib/configuration/finding.ts'
import { findingsOf, mistakesOf } from '../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../support/elements/elements.ts'
import {
  connectionOfKind,
  mergedElements,
  printableSecret,
  sharedElements,
  type TokenServerKindName,
  tokenServerKinds,
  userOfKinds,
} from '../support/elements/token-kinds.ts'
import { startIssueTokenWithScriptedServer } from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest, writeSecret } from '../support/functions/load-function.ts'
import { plant } from '../support/output/canary.ts'
import { captureLog } from '../support/output/captured-log.ts'

/* Which secrets an authToken may name, where their values go, and what no value can do there. */

const issuer = 'https://as.example.com'

function elementsOf(kind: TokenServerKindName, changes: Parameters<typeof connectionOfKind>[3] = {}) {
  return (origin: string): RawElements =>
    mergedElements(sharedElements(origin), connectionOfKind(kind, 'conn', `${origin}/token`, changes))
}

const withBody = (requestBody: unknown) =>
  elementsOf('json-body', { authToken: { tokenRequest: { credentialLocation: 'body', requestBody } } })(issuer)

const nestedIn = (depth: number, value: unknown): unknown =>
  depth === 0 ? value : depth % 2 === 0 ? { deeper: nestedIn(depth - 1, value) } : [nestedIn(depth - 1, value)]

/** Bodies with one leaf, at all depths. */
const bodiesAround: Readonly<Record<string, (leaf: unknown) => unknown>> = {
  'as a member': (leaf) => ({ login: { user: true }, key: leaf }),
  'as a member of a member': (leaf) => ({ a: { b: { c: leaf } } }),
  'in a list': (leaf) => ({ a: ['x', leaf] }),
  'in a list of lists': (leaf) => ({ a: [[[leaf]], 'x'] }),
  '50 levels deep': (leaf) => ({ a: nestedIn(50, leaf) }),
  'under the name __proto__': (leaf) => JSON.parse(`{"a":{"__proto__":${JSON.stringify(leaf)}}}`),
  'in a member that is called secret': (leaf) => ({ secret: leaf, id: 'x' }),
  'in a member that is called requestBody': (leaf) => ({ requestBody: leaf, id: 'x' }),
}

/** What must not be read as a secret of an element. The second part is in the sentence. */
const wrongNames: Readonly<Record<string, RegExp>> = {
  'tokenwell/prod/the-key': /secret of another stage/,
  'tokenwell/local/cache': /reserved for Tokenwell/,
  'tokenwell/local/jwk/theBuilder': /reserved for Tokenwell/,
  'tokenwell/local/../prod/the-key': /must be the name of a secret/,
  'tokenwell/local/jwk/../cache': /must be the name of a secret/,
  'correct-horse-battery-staple': /must be the name of a secret/,
  'tokenwell/local/with a blank': /must be the name of a secret/,
  'arn:aws:secretsmanager:eu-central-1:111122223333:secret:tokenwell/prod/x': /must be the name of a secret/,
}

test('a secret in a body is one of this stage and not reserved, at any depth, and a text in place of its name is never repeated', async (t) => {
  for (const [place, bodyAround] of Object.entries(bodiesAround)) {
    for (const [name, sentence] of Object.entries(wrongNames)) {
      const mistakes = await mistakesOf(t, withBody(bodyAround({ secret: name })))
      assert.equal(mistakes.length, 1, `${place} ${name}: ${mistakes.join('\n')}`)
      assert.match(String(mistakes[0]), /^authToken\/conn tokenRequest: /, place)
      assert.match(String(mistakes[0]), sentence, `${place} ${name}`)
      assert.ok(!String(mistakes[0]).includes(name), 'it repeats the value')
    }
    const findings = await findingsOf(t, withBody(bodyAround({ secret: 'tokenwell/local/the-key' })))
    assert.doesNotMatch(findings.join('\n'), /must|reserved/, place)
  }
})

test('a secret that is written into a body itself is a finding, and is not repeated', async (t) => {
  const besideHeader = (requestBody: unknown) =>
    elementsOf('basic', { authToken: { tokenRequest: { requestBody } } })(issuer)
  const secret = 'correct-horse-battery-staple'
  plant(secret)
  for (const body of [
    { user: 'u', password: secret },
    { a: { client_secret: secret } },
    { a: [{ apiKey: secret, id: 'x' }] },
    { secret, id: 'x' },
    { login: { passphrase: secret } },
    { login: { private_key: secret } },
    { key: `-----BEGIN PRIVATE KEY-----\n${secret}` },
    { key: 'eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln' },
  ]) {
    const findings = (await findingsOf(t, besideHeader(body))).join('\n')
    assert.match(findings, /^authToken\/conn tokenRequest: .*secret/m, JSON.stringify(body))
    assert.ok(!findings.includes(secret))
  }
  const plain = { grant: 'password', colour: 'x', login: { name: 'u' }, passwordless: true }
  assert.doesNotMatch((await findingsOf(t, besideHeader(plain))).join('\n'), /suggests a secret|It holds/)
})

test('a body that is nested too deeply is a mistake, and overflows no stack', async (t) => {
  for (const depth of [70, 3_000]) {
    const error = await mistakesOf(t, withBody({ a: nestedIn(depth, { secret: 'tokenwell/local/x' }) })).catch(
      (thrown: unknown) => thrown,
    )
    assert.ok(!(error instanceof RangeError), String(error))
    const told = Array.isArray(error) ? error.join('\n') : (error as ConfigurationError).message
    assert.match(told, /levels|nested/i, told)
  }
})

/** Each attribute that names a header. */
const headerAttributes: Readonly<Record<string, (header: string) => RawElements>> = {
  'authToken header': (header) => elementsOf('basic', { authToken: { header } })(issuer),
  'tokenRequest header': (header) => elementsOf('basic', { authToken: { tokenRequest: { header } } })(issuer),
  userHeader: (userHeader) =>
    elementsOf('named-headers', { authToken: { tokenRequest: { userHeader, passwordHeader: 'x-password' } } })(issuer),
  passwordHeader: (passwordHeader) =>
    elementsOf('named-headers', { authToken: { tokenRequest: { userHeader: 'x-user', passwordHeader } } })(issuer),
  'authTokenLocal header': (header) =>
    mergedElements(sharedElements(issuer), {
      authTokenLocal: { conn: { tokenGeneratorRef: 'theBuilder', tokenSubject: 'x', header } },
      endpointConnection: { conn: { authenticationConfigRef: 'conn' } },
    }),
}

test('no attribute names a header that frames a request, says which server it is for, or adds another header', async (t) => {
  const names = [
    'Host',
    'content-length',
    'Content-Type',
    'Transfer-Encoding',
    'Connection',
    'TE',
    'Upgrade',
    'Cookie',
    'Proxy-Authorization',
    'Expect',
    'Accept-Encoding',
    'x y',
    'x:y',
    'x\r\nHost',
    'é',
    '',
    ':path',
  ]
  for (const [attribute, withHeader] of Object.entries(headerAttributes)) {
    for (const name of names) {
      const mistakes = await mistakesOf(t, withHeader(name))
      assert.match(
        mistakes.join('\n'),
        /^authToken(Local)?\/conn (header|tokenRequest): .*header/m,
        `${attribute} ${JSON.stringify(name)}`,
      )
      assert.doesNotMatch(mistakes.join('\n'), /\r|\n\n/)
    }
    assert.doesNotMatch(
      (await findingsOf(t, withHeader('x-fine'))).join('\n'),
      /must be the name of an HTTP header/,
      attribute,
    )
  }
})

async function ask(
  t: TestContext,
  kind: TokenServerKindName,
  secrets: Readonly<Record<string, string>>,
  user = userOfKinds,
) {
  const elements = (origin: string) => {
    const made = elementsOf(kind)(origin)
    return { ...made, authData: { theUser: { user, passwordSecret: 'tokenwell/local/the-password' } } }
  }
  const { http, requests, workspace } = await startIssueTokenWithScriptedServer(t, elements, () =>
    tokenServerKinds[kind].answer('some-token-of-this-kind'),
  )
  for (const name of ['the-password', 'the-header-secret', 'the-body-secret'])
    await writeSecret(workspace, name, secrets[name] ?? printableSecret)
  return { ...(await http(tokenRequest('conn'))), requests }
}

const injections = [
  'the secret value\r\nx-injected: yes',
  'the secret value\nx-injected: yes',
  'the secret value\rx-injected',
  'the secret value\0',
  ' the secret value',
  'the sécret value',
  '',
]
const pem = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))

test('a password or secret that a header cannot have is not sent in one, and the log names its secret alone', async (t) => {
  for (const [kind, name] of [
    ['named-headers', 'the-password'],
    ['bearer-jwt', 'the-header-secret'],
  ] as const)
    for (const value of [...injections, pem]) {
      const events = captureLog(t)
      const { status, body, requests } = await ask(t, kind, { [name]: value })
      assert.deepEqual([status, requests.length], [500, 0], `${kind} ${JSON.stringify(value)}`)
      const told = JSON.stringify([events, body])
      assert.match(told, new RegExp(`The secret tokenwell/local/${name} `), value)
      assert.doesNotMatch(told, /the secret value|x-injected|BEGIN|sécret/)
    }
})

test('a user that a header cannot have is a mistake of the elements, or is not sent', async (t) => {
  for (const user of ['u\r\nx-injected: yes', 'u\nx-injected: yes', 'ü']) {
    const { status, requests } = await ask(t, 'named-headers', {}, user)
    assert.deepEqual([status, requests.length], [500, 0], JSON.stringify(user))
  }
})

test('in a form and in JSON a secret stays the value of its member, whatever it holds', async (t) => {
  const values = [
    'a&word=x&b',
    'a=b',
    'a+b %26 c',
    '"},"admin":true,"x":{"y":"',
    'ü\u2028\\u0022',
    'two\nlines',
    '{"$ref":"x"}x',
  ]
  for (const value of values) {
    const secrets = { 'the-password': value, 'the-body-secret': value }
    const form = await ask(t, 'form-body', secrets)
    assert.deepEqual(
      [...(form.requests[0]?.form ?? [])],
      [
        ['name', userOfKinds],
        ['word', value],
        ['key', value],
      ],
    )
    const json = await ask(t, 'json-body', secrets)
    assert.deepEqual(JSON.parse(json.requests[0]?.content ?? ''), {
      login: { name: userOfKinds, word: value },
      keys: ['a', value],
    })
  }
  for (const kind of ['form-body', 'json-body', 'basic'] as const)
    assert.equal((await ask(t, kind, { 'the-password': pem })).status, 500, 'a key is not a password')
})

test('each secret of a request goes to the hosts that it names, and to no other', async (t) => {
  const members = { 'the-password': 'password', 'the-header-secret': 'value', 'the-body-secret': 'password' } as const
  for (const [kind, name] of [
    ['basic', 'the-password'],
    ['named-headers', 'the-password'],
    ['json-body', 'the-password'],
    ['json-body', 'the-body-secret'],
    ['form-body', 'the-body-secret'],
    ['jwt-in-body', 'the-body-secret'],
    ['bearer-jwt', 'the-header-secret'],
  ] as const) {
    const value = (host: string) => JSON.stringify({ [members[name]]: printableSecret, hosts: [host] })
    assert.equal((await ask(t, kind, { [name]: value('localhost') })).status, 200, `${kind} ${name}`)
    const refused = await ask(t, kind, { [name]: value('as.example.com') })
    assert.deepEqual([refused.status, refused.requests.length], [500, 0], `${kind} ${name}`)
  }
})

test('the address of a token server obeys the rules of a tokenEndpoint of OAuth 2.0', async (t) => {
  const deployment = { stage: 'local', publicUrl: 'https://tokenwell.example', isLambda: true }
  let refused = 0
  for (const tokenEndpoint of [
    ...['https://127.0.0.1/token', 'https://localhost/token', 'https://[::1]/token', 'https://169.254.169.254/token'],
    ...[
      'http://169.254.169.254/latest/meta-data',
      'http://as.example.com/token',
      'https://user:word@as.example.com/token',
    ],
    ...['https://as.example.com/token#x', 'ftp://as.example.com/', 'https://as.example.com/a?b=c', '//as.example.com/'],
  ])
    for (const kind of ['basic', 'bearer-jwt'] as const) {
      const ofServer = async (elements: RawElements) =>
        (await findingsOf(t, elements, deployment))
          .filter((each) => /authorizationServer\/\w+ tokenEndpoint/.test(each))
          .map((each) => each.replaceAll('theServer', 'conn'))
      const own = await ofServer(mergedElements(sharedElements(issuer), connectionOfKind(kind, 'conn', tokenEndpoint)))
      const ofOAuth = await ofServer(exampleElements(issuer, { server: { tokenEndpoint } }))
      assert.deepEqual(own, ofOAuth, tokenEndpoint)
      refused += own.length
    }
  assert.ok(refused >= 10, `${refused}`)
})
