import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOutcomeLog } from '../../../lib/get-token/connection-status.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { RefusedError } from '../../../lib/token-endpoint/token-endpoint-error.ts'

test('the last success and the last failure of each connection are both remembered', () => {
  let now = 0
  const outcomes = createOutcomeLog(() => now)
  assert.deepEqual(outcomes.of('conn'), {})

  now = 1
  outcomes.noteToken('conn')
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 1 })

  now = 2
  const refusal = RefusedError.of({ error: 'invalid_client', isOfCredentials: true }, 'theServer', 'client')
  outcomes.noteFailure('conn', CoolingDownError.after(refusal, 30))
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 1, failedAt: 2, failure: 'refused' })

  now = 3
  outcomes.noteToken('conn')
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 3, failedAt: 2, failure: 'refused' })

  outcomes.noteFailure('other', new TypeError('a programming error'))
  assert.deepEqual(outcomes.of('other'), { failedAt: 3, failure: 'unexpected' })
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 3, failedAt: 2, failure: 'refused' })
})
