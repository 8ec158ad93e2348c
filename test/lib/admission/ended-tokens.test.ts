import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demandUnended } from '../../../lib/admission/ended-tokens.ts'
import { InvalidRequestError } from '../../../lib/admission/invalid-request.ts'
import { Secret } from '../../../lib/secret/secret.ts'

const now = 1_700_000_000_000

function endingIn(seconds: number) {
  const claims = Buffer.from(JSON.stringify({ exp: now / 1000 + seconds })).toString('base64url')
  return { token: new Secret(`eyJhbGciOiJub25lIn0.${claims}.`) }
}
const demand = (tokens: Pick<Parameters<typeof demandUnended>[0], 'subjectToken' | 'actorToken'>) =>
  demandUnended({ connection: 'conn', further: {}, ...tokens }, now)

test("a caller's token that ended 5 minutes ago is refused by its name, and no other is", () => {
  demand({})
  for (const tokens of [endingIn(60), endingIn(-299), { token: new Secret('an opaque token') }])
    demand({ subjectToken: tokens, actorToken: tokens })
  const message = 'ended more than 5 minutes ago, by its own exp. Send a token that is valid.'
  for (const [name, tokens] of [
    ['subject_token', { subjectToken: endingIn(-300), actorToken: endingIn(60) }],
    ['actor_token', { subjectToken: endingIn(60), actorToken: endingIn(-300) }],
  ] as const)
    assert.throws(() => demand(tokens), new InvalidRequestError(name, message))
})
