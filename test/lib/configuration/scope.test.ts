import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isScopeToken } from '../../../lib/configuration/value-syntax.ts'

test('a scope is made of the characters of RFC 6749 section 3.3, and of no other', () => {
  const allowed = Array.from({ length: 0x100 }, (_, code) => String.fromCharCode(code)).filter(isScopeToken)
  const printable = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index))
  assert.deepEqual(
    allowed,
    printable.filter((each) => each !== '"' && each !== '\\'),
  )
  for (const text of ['', 'a b', 'a\n', 'a"b', 'ä']) assert.equal(isScopeToken(text), false, text)
  assert.equal(isScopeToken('https://api.example/orders.read'), true)
})
