import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOutcomeLog } from '../../../lib/get-token/connection-status.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { RefusedError } from '../../../lib/token-endpoint/token-endpoint-error.ts'

const tokenOf = (name: string, id = 'theConfig') => ({ name, authentication: { kind: 'oAuthConfig', id } as const })
const refusal = RefusedError.of({ error: 'invalid_client', isOfCredentials: true }, 'theServer', 'client')

test('the last success and the last failure of each connection are both remembered', () => {
  let now = 0
  const outcomes = createOutcomeLog(() => now)
  assert.deepEqual(outcomes.of('conn'), {})

  now = 1
  outcomes.noteToken(tokenOf('conn'))
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 1 })

  now = 2
  outcomes.noteFailure(tokenOf('conn'), CoolingDownError.after(refusal, 30))
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 1, failedAt: 2, failure: 'refused' })

  now = 3
  outcomes.noteToken(tokenOf('conn'))
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 3, failedAt: 2, failure: 'refused' })

  outcomes.noteFailure(tokenOf('other'), new TypeError('a programming error'))
  assert.deepEqual(outcomes.of('other'), { failedAt: 3, failure: 'unexpected' })
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 3, failedAt: 2, failure: 'refused' })
})

test('the success of one token of a connection does not hide the failure of another', () => {
  let now = 1
  const outcomes = createOutcomeLog(() => now)
  const [main, session, signed] = ['main', 'session', 'signed'].map((id) => tokenOf('conn', id))
  assert(main && session && signed)
  outcomes.noteToken(session)
  now = 2
  outcomes.noteFailure(session, refusal)
  now = 3
  outcomes.noteToken(main)
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 1, failedAt: 2, failure: 'refused' })

  now = 4
  outcomes.noteFailure(signed, new TypeError('a programming error'))
  assert.deepEqual(outcomes.of('conn'), { failedAt: 4, failure: 'unexpected' }, 'the last of two failures')

  now = 5
  outcomes.noteToken(signed)
  outcomes.noteToken(main)
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 1, failedAt: 2, failure: 'refused' })

  now = 6
  outcomes.noteToken(session)
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 6, failedAt: 2, failure: 'refused' }, 'no token fails')
})
