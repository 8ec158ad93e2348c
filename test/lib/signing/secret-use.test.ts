import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import {
  demandHost,
  readExpiresAt,
  readHeaderValue,
  readPassword,
  readSharedKey,
} from '../../../lib/signing/secret-use.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { root } from '../../support/process/local-run.ts'

const name = 'tokenwell/local/the-password'
const use = { element: 'authorizationServer/theServer', host: 'as.example.com' }
const read = (text: string, from = name) => readPassword(from, new Secret(text), use).reveal()
const refused = (text: string, reason: RegExp, from = name) =>
  assert.throws(
    () => read(text, from),
    (error: unknown) => {
      assert.ok(error instanceof KeyStoreError)
      assert.ok(error.message.startsWith(`The secret ${from} `), error.message)
      assert.match(error.message, reason)
      assert.ok(!error.message.includes(text), 'and its text is not shown')
      return true
    },
  )

const [ec, rsa, ed] = [
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
  generateKeyPairSync('ed25519'),
]
const pem = ec.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const jwk = ec.privateKey.export({ format: 'jwk' })
const base64 = (text: string) => Buffer.from(text).toString('base64')

/* Contents that are never a password, whatever the name of the secret. */
const keys: Readonly<Record<string, string>> = {
  PEM: pem,
  'PEM of SEC1': ec.privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
  'PEM of a public key': ec.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  'PEM of one line': pem.replaceAll('\n', '\\n'),
  'PEM in base64': base64(pem),
  'a JWK': JSON.stringify(jwk),
  'a JWK in base64': base64(JSON.stringify(jwk)),
  'a shared JWK': JSON.stringify({ kty: 'oct', k: 'c2VjcmV0' }),
  'a JWK set': JSON.stringify({ keys: [jwk] }),
  'an empty key set': '{ "keys": [] }',
  'a key with its passphrase': JSON.stringify({ privateKey: pem, passphrase: 'x' }),
  "Google's key file": JSON.stringify({ type: 'service_account', private_key: pem }),
  'PKCS#12 with its passphrase': JSON.stringify({ pkcs12: 'MIIK', passphrase: 'x' }),
  'DER of RSA': rsa.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  'DER of EC': ec.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  'DER of EC as SEC1': ec.privateKey.export({ type: 'sec1', format: 'der' }).toString('base64'),
  'DER of Ed25519': ed.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  'DER in lines': rsa.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64').replace(/.{64}/g, '$&\n'),
  'a JKS key store': Buffer.from([0xfe, 0xed, 0xfe, 0xed, ...new Uint8Array(30)]).toString('base64'),
  "the cache's seed": JSON.stringify({ seed: 'x'.repeat(43) }),
  "the cache's keys": JSON.stringify({ namingKey: 'x', encryptionKeys: [] }),
}

for (const [what, text] of Object.entries(keys))
  test(`a password is not ${what}, nor is a shared key`, () => {
    refused(text, /holds .* but the element needs a password/)
    assert.throws(() => readSharedKey(name, new Secret(text)), KeyStoreError)
  })

test("the cache's secret and generated keys are not used as a password, whatever they hold", () => {
  for (const reserved of ['tokenwell/local/cache', 'tokenwell/prod/jwk/theBuilder'])
    refused('hunter2', /reserved for Tokenwell/, reserved)
})

test('any other text is a password, without the line break at its end', () => {
  const passwords = [
    'hunter2',
    'MIIB',
    'MGsecretsecretsecretsecret',
    'a{b',
    '{"a":1}',
    '{',
    '[1]',
    'x'.repeat(500),
    'p w\u00e4',
  ]
  for (const text of passwords) assert.equal(read(`${text}\n`), text)
})

test('a password that names its hosts is sent only to these hosts', () => {
  const secret = (hosts: unknown) => JSON.stringify({ password: 'hunter2', hosts })
  assert.equal(read(secret(['other.example.com', 'AS.example.com'])), 'hunter2')
  assert.equal(read('{"password":"hunter2"}'), 'hunter2')
  for (const hosts of [['other.example.com'], ['example.com'], ['s.example.com'], []])
    refused(secret(hosts), /is not allowed for as\.example\.com, the host of authorizationServer\/theServer/)
  for (const hosts of ['as.example.com', [1], ['*.example.com'], ['https://as.example.com'], null, {}])
    refused(secret(hosts), /holds hosts that are not a list of host names/)
  refused('{"hosts":["as.example.com"]}', /holds hosts without password/)
})

test('a key that names its hosts is refused where the elements name no host', () => {
  const check = (content: object) =>
    demandHost(name, new Secret(JSON.stringify(content)), { element: 'endpointConnection/conn' })
  assert.throws(
    () => check({ ...jwk, hosts: ['api.example.com'] }),
    /is only for the hosts that it lists, but endpointConnection\/conn does not say which host gets what it signs\. Set host /,
  )
  assert.doesNotThrow(() => check(jwk))
})

test('a key of any kind that names its hosts is used only for these hosts', () => {
  const others = { ...use, host: 'other.example.com' }
  const hosts = ['as.example.com']
  for (const held of [{ key: 'x'.repeat(32) }, { privateKey: pem }, { keys: [jwk] }, { pkcs12: 'MIIK' }, jwk]) {
    const secret = new Secret(JSON.stringify({ ...held, hosts }))
    demandHost(name, secret, use)
    assert.throws(() => demandHost(name, secret, others), /is not allowed for other\.example\.com/)
  }
  demandHost(name, new Secret(pem), others)
  assert.equal(readSharedKey(name, new Secret(JSON.stringify({ key: 'x'.repeat(32), hosts }))).reveal(), 'x'.repeat(32))
})

test('the value of a header is printable ASCII in one line, and the error never shows it', () => {
  const readValue = (text: string) => readHeaderValue(name, new Secret(text), use).reveal()
  for (const [text, value] of [
    ['abc\n', 'abc'],
    ['Basic YTpi', 'Basic YTpi'],
    [JSON.stringify({ value: 'a b', hosts: ['as.example.com'] }), 'a b'],
  ] as const)
    assert.equal(readValue(text), value)
  for (const text of ['geheim\r\nX-Admin: yes', 'geheim\n\n', ' geheim', 'geheim ', 'gehéim', 'geheim\t1', '\n'])
    assert.throws(
      () => readValue(text),
      (error: unknown) =>
        error instanceof KeyStoreError &&
        error.message.startsWith(`The secret ${name} holds a text that a header cannot have.`) &&
        !/geh|Admin/.test(error.message),
    )
  assert.throws(
    () => readValue(JSON.stringify({ value: 'geheim', hosts: ['other.example'] })),
    /is not allowed for as\.e/,
  )
  assert.throws(() => readValue(pem), /holds PEM, but the element needs a value/)
})

test('a secret states its end as a date, or as a date with a time and its zone', () => {
  const ends: readonly (readonly [string, string])[] = [
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    ['2027-01-31T12:00Z', '2027-01-31T12:00:00.000Z'],
    ['2027-01-31T12:00:30+02:00', '2027-01-31T10:00:30.000Z'],
    ['2027-01-31T23:30:00-05:00', '2027-02-01T04:30:00.000Z'],
    ['2027-01-31t12:00:00.1234567z', '2027-01-31T12:00:00.123Z'],
  ]
  for (const [expiresAt, iso] of ends) {
    const stated = readExpiresAt(new Secret(JSON.stringify({ password: 'x', expiresAt })))
    assert.deepEqual(stated, { kind: 'date', expiresAt: Date.parse(iso) }, expiresAt)
  }
  const inBase64 = Buffer.from('{ "key": "the key", "expiresAt": "2027-01-31" }').toString('base64')
  assert.equal(readExpiresAt(new Secret(inBase64)).kind, 'date')
})

test('the example of the page is a password with its date', () => {
  const page = readFileSync(join(root, 'lib/configuration/README.md'), 'utf8')
  const [, text = ''] = /^### When a secret expires$[\s\S]*?^```json\n([\s\S]*?)^```$/m.exec(page) ?? []
  assert.equal(read(text), 'the secret of the server')
  assert.equal(readExpiresAt(new Secret(text)).kind, 'date')
})

test('what is no date, or no day of the calendar, is not read as one, and a time without its zone is ambiguous', () => {
  const texts = ['', 'soon', '2027', '31.01.2027', '2027-1-31', '2027-13-01', '2027-02-29', '2027-02-30T12:00:00Z']
  const times = ['2027-01-31T12:00:00', '2027-01-31 12:00:00Z', '2027-01-31T25:00:00Z', ' 2027-01-31', '+002027-01-31']
  for (const expiresAt of [...texts, ...times, 1_801_353_600, null, ['2027-01-31'], { date: '2027-01-31' }]) {
    const stated = readExpiresAt(new Secret(JSON.stringify({ password: 'x', expiresAt })))
    assert.deepEqual(stated, { kind: 'unreadable' }, JSON.stringify(expiresAt))
  }
  for (const text of ['the password', '', '{}', '[]', pem, '{ "password": "x", "expires_at": "2027-01-31" }'])
    assert.deepEqual(readExpiresAt(new Secret(text)), { kind: 'none' }, text)
})

test('a password with a date is read whatever the date is, and a date without a password is an error', () => {
  for (const expiresAt of ['1999-01-01', '2999-01-01', 'soon', 7])
    assert.equal(read(JSON.stringify({ password: 'the words', expiresAt })), 'the words')
  refused('{ "clientSecret": "the words", "expiresAt": "2027-01-31" }', /holds expiresAt without password\. /)
  refused('{ "clientSecret": "the words", "hosts": ["as.example.com"] }', /holds hosts without password\. /)
})
