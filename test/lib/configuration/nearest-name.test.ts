import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nearestName } from '../../../lib/configuration/nearest-name.ts'

const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-']
const name = fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 30 })

test('a typing mistake finds the intended name', () => {
  const names = ['sslCertsRef', 'basicAuthRef', 'tokenEndpoint', 'issuer']
  const slips = {
    sslCertRef: 'sslCertsRef',
    sslcertsref: 'sslCertsRef',
    basicAuthReff: 'basicAuthRef',
    tokenEndpiont: 'tokenEndpoint',
    ISSUER: 'issuer',
    TOKENENDPIONT: 'tokenEndpoint',
    isuer: 'issuer',
  }
  for (const [slip, meant] of Object.entries(slips)) assert.equal(nearestName(slip, names), meant)
})

test('the nearest of several names wins, and a name that differs only in case comes first', () => {
  assert.equal(nearestName('server1', ['server222', 'server12', 'server']), 'server12')
  assert.equal(nearestName('myOAuthConfig', ['myOAuthConfig1', 'myoAuthConfig']), 'myoAuthConfig')
})

test('no name is near if all are different', () => {
  assert.equal(nearestName('conn', []), undefined)
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'abc'), minLength: 2 }),
      fc.array(fc.string({ unit: fc.constantFrom(...'XYZ'), minLength: 2 })),
      (written, others) => assert.equal(nearestName(written, others), undefined),
    ),
  )
})

test('a name in another case is found among any others', () => {
  fc.assert(
    fc.property(name, fc.array(name), fc.infiniteStream(fc.boolean()), (meant, others, flips) => {
      const written = [...meant].map((letter) => (flips.next().value ? swapCase(letter) : letter)).join('')
      const found = nearestName(written, [...others, meant])
      assert.equal(found?.toLowerCase(), meant.toLowerCase())
    }),
  )
})

test('one letter too many, too few or wrong is forgiven in any name', () => {
  fc.assert(
    fc.property(name, fc.nat(), fc.constantFrom(...letters), (meant, at, letter) => {
      const place = at % meant.length
      const [before, after] = [meant.slice(0, place), meant.slice(place + 1)]
      for (const written of [
        `${before}${after}`,
        `${before}${letter}${after}`,
        `${before}${letter}${meant.slice(place)}`,
      ])
        assert.equal(nearestName(written, [meant]), meant)
    }),
  )
})

test('the result is always one of the names', () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.string()), (written, names) => {
      const found = nearestName(written, names)
      assert(found === undefined || names.includes(found))
    }),
  )
})

function swapCase(letter: string): string {
  return letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()
}
