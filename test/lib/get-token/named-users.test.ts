import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { jwtBearer } from '../../../lib/configuration/grant-type.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'
import {
  createTokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'

/* What one caller names as a user has no effect on the tokens of others. */

const { subject: _ofClient, ...assertion } = plainAssertion()
const connection: ServedConnection = {
  ...plainConnection,
  grant: { type: jwtBearer, assertion, assertionParameters: {}, claimsFromRequest: { sub: true } },
}

test('a user whose name speaks of time changes no clock, where the server repeats the name', async () => {
  const { time, get, events } = createTokensInVirtualTime(
    ({ form, at }) => {
      const { sub, iat = 0 } = decodeJwt(form.get('assertion') ?? '')
      if (sub === 'bob' && iat * 1000 <= at) return virtualToken()
      const error_description = `The user ${sub} is unknown.`
      return virtualRefusal('invalid_grant', { body: JSON.stringify({ error: 'invalid_grant', error_description }) })
    },
    { connection },
  )
  const guess = assert.rejects(get({ subject: 'Too Old', caller: 'eve' }))
  await time.advance(60)
  assert.equal((await time.until(get({ subject: 'bob' }))).source, 'server')
  await time.until(guess)
  assert.ok(events.every(({ event }) => event !== 'clock_offset_learned'))
})
