import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Token } from '../../../lib/access-token/token.ts'
import { createOutcomes } from '../../../lib/get-token/outcomes.ts'
import { RefusedError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { someToken } from '../../support/virtual/some-token.ts'

test('of each connection the last success and the last failure are remembered, side by side', async (t) => {
  const connection = await resolveConn(t, exampleElements('https://as.example'))
  let now = 0
  const outcomes = createOutcomes(() => now)
  const obtain = (token: () => Promise<Token>, name = 'conn') =>
    outcomes.watch(token)({
      connection: { ...connection, name },
      fingerprint: 'the fingerprint',
      request: { connection: name, further: {} },
      parameters: connection.parameters,
      deadline: 1,
      keepLease: () => Promise.resolve(),
    })
  assert.deepEqual(outcomes.of('conn'), {})

  now = 1
  const token = someToken()
  assert.equal(await obtain(async () => token), token)
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 1 })

  now = 2
  const refusal = RefusedError.of({ error: 'invalid_client' }, 'theServer', 'client')
  await assert.rejects(
    obtain(() => Promise.reject(refusal)),
    refusal,
  )
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 1, failedAt: 2, failure: 'refused' })

  now = 3
  await obtain(async () => token)
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 3, failedAt: 2, failure: 'refused' })

  await assert.rejects(
    obtain(() => Promise.reject(new TypeError('a fault of ours')), 'other'),
    TypeError,
  )
  assert.deepEqual(outcomes.of('other'), { failedAt: 3, failure: 'unexpected' })
  assert.deepEqual(outcomes.of('conn'), { obtainedAt: 3, failedAt: 2, failure: 'refused' })
})
