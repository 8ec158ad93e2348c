import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import { printableDescription, repeatsAny } from '../../../lib/token-endpoint/printable-description.ts'

const password = 'Pa$$w"r<d & Söhne'
const base64 = (text: string) => Buffer.from(text).toString('base64')

/** Forms in which real servers have repeated what they received. */
const repetitions: Readonly<Record<string, string>> = {
  'as it is': password,
  'in a sentence': `is ${password} right?`,
  'in capitals': password.toUpperCase(),
  'its first 12 letters': `password begins ${password.slice(0, 12)}...`,
  'its last 8 letters': password.slice(-8),
  'percent-encoded': encodeURIComponent(password),
  'as a form': new URLSearchParams({ password }).toString(),
  'in JSON': JSON.stringify({ password }),
  'in JSON within JSON': JSON.stringify(JSON.stringify({ password })),
  'in JSON with escapes': password.replace(/[^a-z]/gi, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'in HTML': password.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;'),
  'in HTML by numbers': password.replace(/[^a-z]/gi, (c) => `&#${c.charCodeAt(0)};`),
  'in HTML by hexadecimal numbers': password.replace(/[^a-z]/gi, (c) => `&#x${c.charCodeAt(0).toString(16)};`),
  'in base64': base64(password),
  'in base64 within something': base64(`a:${password}!`),
  'in base64 within something else': base64(`ab:${password}`),
  'in base64url': Buffer.from(password).toString('base64url'),
  'in hexadecimal': Buffer.from(password).toString('hex').toUpperCase(),
}
for (const [how, text] of Object.entries(repetitions))
  test(`words that repeat a secret ${how} are left out`, () => {
    assert.equal(printableDescription(text, [new Secret('another'), new Secret(password)]), undefined)
  })

test('8 characters of a secret count as the secret, and 7 may be there by chance', () => {
  const sent = [new Secret('correct-horse-battery')]
  assert.equal(printableDescription('no "horse-ba" here', sent), undefined)
  assert.equal(printableDescription('no "horse-b" here', sent), 'no "horse-b" here')
})

test('a short secret counts only as a whole', () => {
  assert.equal(printableDescription('for alice', [new Secret('alice')]), undefined)
  assert.equal(printableDescription('for ALICE', [new Secret('alice')]), undefined)
  assert.equal(printableDescription('for alic', [new Secret('alice')]), 'for alic')
  assert.equal(printableDescription('for alice', [new Secret('')]), 'for alice')
})

test('an assertion is cut out of a sentence, and the rest of the sentence remains', () => {
  const header = Buffer.from('{"alg":"ES256","kid":"the-key"}').toString('base64url')
  const assertion = `${header}.${Buffer.from('{"iss":"a","sub":"a"}').toString('base64url')}.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw`
  const sent = [new Secret(assertion)]
  assert.equal(printableDescription(`JWT ${assertion} is bad`, sent), 'JWT [...] is bad')
  assert.equal(printableDescription(`signature ${assertion.split('.')[2]} is bad`, sent), 'signature [...] is bad')
  assert.equal(printableDescription(`header ${header}: bad`, sent), 'header [...]: bad')
})

test('words that repeat an assertion encoded or escaped are left out, as cutting would leave a part of it', () => {
  const [claims, signature] = [randomBytes(90).toString('base64url'), randomBytes(64).toString('base64url')]
  const assertion = `eyJhbGciOiJFUzI1NiJ9.${claims}.${signature}`
  const sent = [new Secret(assertion)]
  for (const text of [
    Buffer.from(assertion).toString('hex'),
    Buffer.from(`Bearer ${assertion}`).toString('base64'),
    Buffer.from(`?jwt=${assertion}&`).toString('base64url'),
    assertion.replace(/[A-Z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
    assertion.replace(/[a-z]/g, (letter) => `&#${letter.charCodeAt(0)};`),
    assertion.toUpperCase(),
    Buffer.from(signature).toString('base64').slice(9, 60),
  ])
    assert.equal(printableDescription(`the JWT ${text} is bad`, sent), undefined, text)
  assert.equal(printableDescription('the JWT from ES256 is bad', sent), 'the JWT from ES256 is bad')
})

test('a secret that contains text like an assertion does not count as an assertion', () => {
  for (const secret of ['my eyJa.b.c', 'eyJa.b.c, mine'])
    assert.equal(printableDescription(`is ${secret} right?`, [new Secret(secret)]), undefined)
})

test('every signed token is masked, whether Tokenwell sent it or not', () => {
  assert.equal(printableDescription('got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln, bad', []), 'got [...], bad')
  assert.equal(printableDescription('got eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0., bad', []), 'got [...], bad')
})

test('each escaped character is read in each of its escapes', () => {
  const escapes: Readonly<Record<string, readonly string[]>> = {
    '"': ['\\"', '&quot;', '&QUOT;', '&#34;', '&#x22;', '%22', '\\u0022'],
    '\\': ['\\\\', '&#92;', '%5c', '%5C', '\\u005C'],
    '/': ['\\/', '&#47;', '%2F'],
    '&': ['&amp;', '&#38;', '%26', '\\u0026'],
    '<': ['&lt;', '%3C'],
    '>': ['&gt;', '%3e'],
    "'": ['&apos;', '&#39;', '%27'],
    ö: ['%C3%B6', '&#246;', '&#xF6;', '\\u00f6', 'Ö'],
    '\u{10ffff}': ['&#x10FFFF;', '&#1114111;'],
    '🔑': ['%F0%9F%94%91', '&#128273;', '&#x1F511;', '\\ud83d\\udd11'],
  }
  for (const [character, forms] of Object.entries(escapes))
    for (const form of forms)
      assert.equal(printableDescription(`ab${form}cd`, [new Secret(`ab${character}cd`)]), undefined, form)
})

test('text that only looks like an escape stays unchanged', () => {
  for (const text of ['&#x110000;', '&#9999999;', '&nothing;', '%zz', '\\u00g0', '\\x'])
    assert.equal(printableDescription(text, [new Secret('another')]), text)
})

test('base64 is recognized wherever the secret begins in the encoded text, from 4 bytes on', () => {
  const sent = [new Secret('hunter')]
  for (const [before, after] of [
    ['', ''],
    ['', '?'],
    ['a', ''],
    ['a', '?'],
    ['ab', '?'],
    ['ab', '?!'],
    ['abc', '?'],
  ])
    assert.equal(printableDescription(base64(`${before}hunter${after}`), sent), undefined, `${before} ${after}`)
  assert.equal(printableDescription(base64('abcd'), [new Secret('abcd')]), undefined)
  assert.equal(printableDescription(base64('abc'), [new Secret('abc')]), base64('abc'))
  assert.equal(printableDescription('is abc right?', [new Secret('abc')]), undefined)
})

test('base64 is recognized in both of its alphabets', () => {
  const secret = '???>>>ÿÿ'
  assert.match(base64(secret), /[+/]/)
  assert.equal(printableDescription(base64(secret).slice(0, 9), [new Secret(secret)]), undefined)
})

test('only the first 4,000 characters are read', () => {
  const text = `${'x'.repeat(4_000)}hunter`
  assert.equal(printableDescription(text, [new Secret('hunter')]), `${'x'.repeat(1_000)}...`)
})

test('public values stay readable, however long they are', () => {
  const sent = [new Secret('correct-horse-battery')]
  for (const text of [
    'Expected audiences are any of [https://as.example.com/realms/some-realm-with-a-long-name, https://as.example.com/token]',
    "Unable to find signing key with kid 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg'",
    'AADSTS7000215: Invalid client secret provided. Trace ID: 0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0 Timestamp: 2026-11-30 08:00:00Z',
    'für Überraschungen',
  ])
    assert.equal(printableDescription(text, sent), text)
})

test('the result is one line of at most 1,000 characters without control characters', () => {
  assert.equal(printableDescription('a\r\nb\tc\u0000d\u001b[31me\u2028f\u202eg ü\ud800', []), 'a b c d [31me f g ü')
  const long = printableDescription('word '.repeat(400), [])
  assert.equal(long?.length, 1_003)
  assert.ok(long?.endsWith('...'))
  assert.equal(printableDescription('x'.repeat(1_000), []), 'x'.repeat(1_000))
})

test('an error code is compared in the same way', () => {
  assert.ok(repeatsAny('not_tr0ub4dor', [new Secret('Tr0ub4dor')]))
  assert.ok(!repeatsAny('invalid_client', [new Secret('Tr0ub4dor')]))
})

test('many words of a server and a long token of a caller take little more time than one word and that token', () => {
  const tokens = [
    new Secret(`eyJ${randomBytes(50).toString('base64url')}.${randomBytes(12_000).toString('base64url')}.sig`),
  ]
  const words = (count: number) => Array.from({ length: count }, () => randomBytes(8).toString('hex')).join(' ')
  const fastest = (text: string) =>
    Math.min(
      ...Array.from({ length: 3 }, () => {
        const from = performance.now()
        printableDescription(text, tokens)
        return performance.now() - from
      }),
    )
  const [many, one] = [fastest(words(200)), fastest(words(1))]
  assert.ok(many < one * 25, `${many} ms for 200 words, ${one} ms for one`)
})
