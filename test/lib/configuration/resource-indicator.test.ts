import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isResourceIndicator } from '../../../lib/configuration/value-syntax.ts'

test('a resource is an absolute URI without a fragment, be the fragment empty', () => {
  for (const text of ['https://api.example', 'urn:example:api', 'https://api.example/a?b=%23'])
    assert.equal(isResourceIndicator(text), true, text)
  for (const text of ['', '/a', 'api.example', 'https://api.example/#a', 'https://api.example/#', 'https://'])
    assert.equal(isResourceIndicator(text), false, text)
})
