import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryDelay } from '../../../lib/get-token/retry-policy.ts'
import {
  RefusedError,
  TimedOutError,
  UnreachableError,
  UnreadableAnswerError,
} from '../../../lib/token-endpoint/token-endpoint-error.ts'

const passing = new UnreachableError('')

test('a passing failure is retried twice, each time after up to twice as long', () => {
  assert.deepEqual(
    [1, 2, 3].map((attempt) => retryDelay(passing, attempt, 25_000, 0.5)),
    [100, 200, undefined],
  )
  assert.equal(retryDelay(passing, 1, 25_000, 0), 0)
})

test('a lasting failure, a refusal, and a request that may have been answered are not retried', () => {
  for (const error of [
    new UnreachableError('', { isLasting: true }),
    new UnreachableError('', { blames: 'client' }),
    RefusedError.of({ error: 'invalid_client', isOfCredentials: true }, 'theServer', 'client'),
    new TimedOutError(''),
    new UnreadableAnswerError(''),
    new TypeError(''),
  ])
    assert.equal(retryDelay(error, 1, 25_000, 0.5), undefined, error.name)
})

test('a retry waits for the pause that the server asks for, plus the jitter', () => {
  assert.equal(retryDelay(new UnreachableError('', { retryAfterSeconds: 3 }), 1, 25_000, 0.5), 3_100)
})

test("a retry that can't have an answer by the deadline is not begun", () => {
  assert.equal(retryDelay(passing, 1, 2_100, 0.5), 100)
  assert.equal(retryDelay(passing, 1, 2_099, 0.5), undefined)
  assert.equal(retryDelay(new UnreachableError('', { retryAfterSeconds: 60 }), 1, 25_000, 0.5), undefined)
})
