import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import { printableDescription } from '../../../lib/token-endpoint/printable-description.ts'

test('words that repeat what was sent are left out, in whatever encoding they repeat it', () => {
  const sent = [new Secret('p&s w'), new Secret('alice')]
  for (const text of [
    'p&s w',
    'is p&s w right?',
    'p%26s%20w',
    'is p%26s+w right?',
    '?password=p%26s+w&',
    'for alice',
    'malice',
  ])
    assert.equal(printableDescription(text, sent), undefined, text)
  assert.equal(printableDescription('p&sw, or Alice', sent), 'p&sw, or Alice')
})

test('a secret that is empty is repeated by nothing', () => {
  assert.equal(printableDescription('plain', [new Secret('')]), 'plain')
})

test('what looks like a token is concealed from 24 characters on, and words are not', () => {
  assert.equal(printableDescription(`key ${'a'.repeat(24)}!`, []), 'key [...]!')
  assert.equal(printableDescription(`key ${'a'.repeat(23)}!`, []), `key ${'a'.repeat(23)}!`)
  assert.equal(printableDescription('eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2ln-_ is bad', []), '[...] is bad')
  assert.equal(printableDescription('MIIEvQIBADANBgkqhkiG9w0BAQEFAASC+/==', []), '[...]')
})

test('what remains is one line of printable ASCII of at most 200 characters', () => {
  assert.equal(printableDescription('a\r\nb\tc\u0000d\u001b[31me\u2028f ü', []), 'a b c d [31me f  ')
  assert.equal(printableDescription('word '.repeat(100), [])?.length, 200)
})
