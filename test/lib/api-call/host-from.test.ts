import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiOfToken } from '../../../lib/api-call/host-from.ts'
import type { ApiOfToken } from '../../../lib/configuration/api.ts'
import { someToken } from '../../support/virtual/some-token.ts'

/* test/security/ssrf.test.ts has the values that are refused. */

const proxy = { id: 'theProxy', host: 'proxy.example.com', port: 3128 }
const api: ApiOfToken = {
  hostFrom: { member: 'instance_url', within: ['*.example.com', 'localhost:8443'], noProxy: ['direct.example.com'] },
  basePath: '/v1',
  tls: { minimumVersion: 'TLSv1.2' },
  connectTimeoutMilliseconds: 1_000,
  receiveTimeoutMilliseconds: 2_000,
}

function at(origin: string, to = api) {
  return apiOfToken(to, someToken({ passedOn: { instance_url: origin, id: 'https://evil.example' } }))
}

test('the API of a token is the one of the elements at the host of the answer, at public addresses only', () => {
  const { hostFrom: _hostFrom, ...rest } = api
  assert.deepEqual(at('https://ACME.example.com/'), { ...rest, origin: 'https://acme.example.com', isPublicOnly: true })
})

test('the host decides whether the way leads through the proxy', () => {
  assert.equal(at('https://acme.example.com', { ...api, proxy }).proxy, proxy)
  assert.equal('proxy' in at('https://direct.example.com', { ...api, proxy }), false)
})

test('a server on this machine is reached by its own port and address', () => {
  const { origin, isPublicOnly } = at('https://localhost:8443')
  assert.deepEqual([origin, isPublicOnly], ['https://localhost:8443', undefined])
})

test('an API of the elements stays where it is, whatever came with the token', () => {
  const { hostFrom: _hostFrom, ...rest } = api
  const fixed = { ...rest, origin: 'https://api.example.com' }
  assert.equal(apiOfToken(fixed, someToken({ passedOn: { instance_url: 'https://evil.example' } })), fixed)
})
