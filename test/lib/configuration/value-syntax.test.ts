import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  isDistinguishedName,
  isResourceIndicator,
  isScopeToken,
  readDuration,
} from '../../../lib/configuration/value-syntax.ts'

test('a scope has only the characters of RFC 6749 section 3.3', () => {
  const allowed = Array.from({ length: 0x100 }, (_, code) => String.fromCharCode(code)).filter(isScopeToken)
  const printable = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index))
  assert.deepEqual(
    allowed,
    printable.filter((each) => each !== '"' && each !== '\\'),
  )
  for (const text of ['', 'a b', 'a\n', 'a"b', 'ä']) assert.equal(isScopeToken(text), false, text)
  assert.equal(isScopeToken('https://api.example/orders.read'), true)
})

test('a resource is an absolute URI without a fragment, even an empty one', () => {
  for (const text of ['https://api.example', 'urn:example:api', 'https://api.example/a?b=%23'])
    assert.equal(isResourceIndicator(text), true, text)
  for (const text of ['', '/a', 'api.example', 'https://api.example/#a', 'https://api.example/#', 'https://'])
    assert.equal(isResourceIndicator(text), false, text)
})

test('the name in a certificate has the form of API Gateway, not that of a tool', () => {
  for (const text of [
    'CN=orders',
    'C=US,ST=Washington,L=Seattle,O=Amazon Web Services,OU=Security,CN=My Client',
    'CN=a\\, b,O=Müller',
    'emailAddress=a@example.com',
    '2.5.4.97=NTRDE-HRB1,CN=x',
  ])
    assert.equal(isDistinguishedName(text), true, text)
  for (const text of [
    ...['', 'orders', '=orders', 'CN=', 'CN= orders', 'C = DE, CN = orders', '/C=DE/CN=orders', 'subject=CN=orders'],
    ...['Subject=CN=orders', ' CN=orders', 'CN=orders ', 'CN=orders\nO=x', '*', `CN=${'x'.repeat(1024)}`],
  ])
    assert.equal(isDistinguishedName(text), false, text)
})

test('a duration has the units of z/OS Connect, larger units first', () => {
  const durations = {
    '30s': 30_000,
    '1m30s': 90_000,
    '2h': 7_200_000,
    '500ms': 500,
    '5m': 300_000,
    '5ms': 5,
    '1h1m1s1ms': 3_661_001,
    '1h1ms': 3_600_001,
    '90m': 5_400_000,
    '0s': 0,
    '-5s': -5_000,
    '-1m30s': -90_000,
  }
  for (const [text, milliseconds] of Object.entries(durations)) assert.equal(readDuration(text), milliseconds, text)
})

test('a text that is not a duration gives undefined', () => {
  const texts = ['', '-', 's', 'ms', '1d', '1.5s', '1,5s', '1S', '1H', ' 1s', '1s ', '1 s', '30s1m', '1ms1s', '1s1s']
  for (const text of [
    ...texts,
    '+1s',
    '--1s',
    '1m-30s',
    '1e3',
    '0x10',
    '١s',
    'PT1S',
    '1s\n',
    '9'.repeat(20),
    `${'9'.repeat(20)}h`,
  ])
    assert.equal(readDuration(text), undefined, JSON.stringify(text))
})

test('a bare number counts in the unit of its attribute, by default in seconds', () => {
  const units = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const
  fc.assert(
    fc.property(fc.nat(999_999_999), fc.constantFrom('h', 'm', 's', 'ms'), (count, unit) => {
      assert.equal(readDuration(String(count), unit), count * units[unit])
      assert.equal(readDuration(String(count)), count * units.s)
    }),
  )
})

test('a duration is the sum of its parts, and a minus applies to the whole sum', () => {
  const part = fc.option(fc.nat(99_999), { nil: undefined })
  fc.assert(
    fc.property(part, part, part, part, (h, m, s, ms) => {
      const parts = [h, m, s, ms].map((count, index) =>
        count === undefined ? '' : `${count}${['h', 'm', 's', 'ms'][index]}`,
      )
      const text = parts.join('')
      fc.pre(text !== '')
      const total = (h ?? 0) * 3_600_000 + (m ?? 0) * 60_000 + (s ?? 0) * 1_000 + (ms ?? 0)
      assert.equal(readDuration(text), total)
      assert.equal((readDuration(`-${text}`) ?? Number.NaN) + total, 0)
    }),
  )
})

test('every text gives whole milliseconds or undefined', () => {
  const unit = fc.constantFrom('1', '0', '9', 'h', 'm', 's', 'ms', '-', '.', ' ', 'd')
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit, maxLength: 40 })), (text) => {
      const milliseconds = readDuration(text)
      if (milliseconds === undefined) return
      assert(Number.isSafeInteger(milliseconds))
      assert.match(text, /^-?((\d+(h|ms|m|s))+|\d+)$/)
    }),
    { numRuns: 2_000 },
  )
})
