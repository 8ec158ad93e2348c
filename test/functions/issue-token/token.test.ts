import assert from 'node:assert/strict'
import { test } from 'node:test'
import { theElements } from '../../support/elements.ts'
import { startTheSet, tokenRequest } from '../../support/the-set.ts'

test('a caller that names a connection gets a token from the server, then the same from memory', async (t) => {
  const set = await startTheSet(t, theElements)

  const first = await set.http(tokenRequest('conn'))
  assert.equal(first.status, 200)
  assert.equal(first.headers['cache-control'], 'no-store')
  assert.equal(first.body['token_type'], 'Bearer')
  assert.equal(first.body['source'], 'server')

  const second = await set.http(tokenRequest('conn'))
  assert.equal(second.body['source'], 'memory')
  assert.equal(second.body['access_token'], first.body['access_token'])
  assert.equal(set.tokenRequests(), 1)
})
