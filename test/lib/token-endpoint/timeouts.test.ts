import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timeoutsUntil } from '../../../lib/token-endpoint/token-endpoint.ts'
import { TimedOutError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'

const server = plainConnection.authorizationServer

test('far from the deadline the timeouts of the element apply', () => {
  assert.deepEqual(timeoutsUntil(25_000, 0, server), {
    receiveMilliseconds: 8_000,
    totalMilliseconds: 11_000,
  })
})

test('near the deadline the timeout is the remaining time less one second', () => {
  assert.deepEqual(timeoutsUntil(25_000, 20_000, server), {
    receiveMilliseconds: 4_000,
    totalMilliseconds: 4_000,
  })
})

test('with no time left no request begins', () => {
  assert.throws(() => timeoutsUntil(25_000, 24_000, server), TimedOutError)
})
