import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import {
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'

const connection = { ...plainConnection, grant: { type: 'password' } } as const
const right = 'right'

/** Processes of a fleet, and a server that knows one password. */
function createFleet(size: number): readonly [TokensInVirtualTime, ...TokensInVirtualTime[]] {
  const endpoint: Parameters<typeof createTokensInVirtualTime>[0] = ({ form }) =>
    form.get('password') === right ? virtualToken() : virtualRefusal('invalid_grant')
  const first = createTokensInVirtualTime(endpoint, { connection })
  const others = Array.from({ length: size - 1 }, () =>
    createTokensInVirtualTime(endpoint, { connection, fleet: first }),
  )
  return [first, ...others]
}

let guesses = 0

async function guess(
  process: TokensInVirtualTime,
  { username = 'alice', caller = 'one', password = `wrong-${guesses++}` } = {},
): Promise<'token' | 'refused' | 'too many'> {
  const asked = process.get({ username, caller, password: new Secret(password) })
  const error = await process.time.until(asked.then(() => undefined).catch((reason: unknown) => reason))
  if (!error) return 'token'
  assert.ok(error instanceof CoolingDownError, String(error))
  return error.failure ? 'refused' : 'too many'
}

const sent = (fleet: readonly TokensInVirtualTime[]) => fleet.reduce((sum, { requests }) => sum + requests.length, 0)

test('of 288 guesses three are sent in a minute, in any number of processes and any spelling', async () => {
  const fleet = createFleet(4)
  const [, second = assert.fail()] = fleet
  const spellings = ['alice', 'ALICE', ' alice ', 'a\u200blice', 'ａlice', 'álice', 'a lice', 'alice\u0000']
  const all = Array.from({ length: 288 }, (_, index) =>
    (fleet[index % 4] ?? second).get({
      username: spellings[index % 8] ?? '',
      caller: 'one',
      password: new Secret(`guess-${index}`),
    }),
  )
  await fleet[0].time.until(Promise.allSettled(all))
  assert.equal(sent(fleet), 3)
  await fleet[0].time.advance(59_000)
  assert.equal(await guess(second), 'too many')
  await fleet[0].time.advance(1_000)
  assert.equal(await guess(second), 'refused')
})

test('guesses of one caller lock out no other caller, and no other user', async () => {
  const [one, other] = createFleet(2)
  for (let count = 0; count < 10; count++) await guess(one)
  assert.equal(await guess(one, { password: right }), 'too many')
  assert.equal(await guess(one, { password: right, username: 'bob' }), 'token')
  assert.equal(await guess(other as TokensInVirtualTime, { password: right, caller: 'two' }), 'token')
})

test('thirty guesses of a user are sent in a minute, over all callers', async () => {
  const fleet = createFleet(2)
  for (let caller = 0; caller < 15; caller++)
    for (let count = 0; count < 3; count++) await guess(fleet[0], { caller: `caller-${caller}` })
  assert.equal(sent(fleet), 30)
  assert.equal(await guess(fleet[1] as TokensInVirtualTime, { caller: 'late', password: right }), 'too many')
})

test('a right password uses no place', async () => {
  const [one] = createFleet(1)
  for (let count = 0; count < 20; count++)
    assert.equal(await guess(one, { username: 'alice', password: right }), 'token')
  for (let count = 0; count < 3; count++) assert.equal(await guess(one), 'refused')
  assert.equal(await guess(one), 'too many')
})

test('many users of one caller who mistype do not stop the next user from getting a token', async () => {
  const [one] = createFleet(1)
  for (let count = 0; count < 40; count++) assert.equal(await guess(one, { username: `user-${count}` }), 'refused')
  assert.equal(await guess(one, { username: 'carol', password: right }), 'token')
})

/** A token server that is not OAuth, and knows one password. It says in this way that another one is wrong. */
function createAuthTokenFleet(refusal: () => TokenEndpointAnswer) {
  const structure = { user: { user: true }, password: { password: true } }
  const byCaller: ServedConnection = {
    ...plainConnection,
    clientAuthentication: { method: 'none', sendClientId: false },
    grant: {
      type: 'authToken',
      request: {
        method: 'POST',
        credentials: { in: 'body' },
        credentialsFrom: 'caller',
        body: { format: 'form', structure },
      },
      response: { token: { in: 'json', path: ['access_token'] } },
      reuse: 'all',
    },
  }
  return createTokensInVirtualTime(({ form }) => (form.get('password') === right ? virtualToken() : refusal()), {
    connection: byCaller,
  })
}

const refusalsOfServers: Readonly<Record<string, () => TokenEndpointAnswer>> = {
  'an error code': () => virtualRefusal('invalid_client'),
  'the status 401 alone': () => ({ status: 401, body: '' }),
  'the status 500': () => ({ status: 500, body: 'wrong password' }),
  'a success without a token': () => ({ status: 200, body: '{"success":false}' }),
}

for (const [how, refusal] of Object.entries(refusalsOfServers)) {
  test(`three guesses for a user of an authToken are sent in a minute, if the server refuses by ${how}`, async () => {
    const fleet = createAuthTokenFleet(refusal)
    const results: string[] = []
    for (let count = 0; count < 6; count++) results.push(await guess(fleet))
    assert.deepEqual(results.slice(3), ['too many', 'too many', 'too many'])
    assert.equal(fleet.requests.length, 3)
  })

  test(`a wrong password of an authToken stops no other user, if the server refuses by ${how}`, async () => {
    const fleet = createAuthTokenFleet(refusal)
    for (let count = 0; count < 3; count++) await guess(fleet)
    assert.equal(await guess(fleet, { username: 'bob', password: right }), 'token')
    assert.equal(await guess(fleet, { caller: 'two', password: right }), 'token')
    const begun = fleet.events.filter(({ event }) => event === 'cool_down_begun')
    assert.deepEqual(new Set(begun.map((each) => 'of' in each && each.of)), new Set(['token']))
  })
}

test('many users of an authToken who mistype do not stop the next user from getting a token', async () => {
  const fleet = createAuthTokenFleet(() => ({ status: 401, body: '' }))
  for (let count = 0; count < 40; count++) assert.equal(await guess(fleet, { username: `user-${count}` }), 'refused')
  assert.equal(await guess(fleet, { username: 'carol', password: right }), 'token')
})

test('a right password of an authToken uses no place, and no warm run asks for its token', async () => {
  const fleet = createAuthTokenFleet(() => ({ status: 401, body: '' }))
  for (let count = 0; count < 20; count++)
    assert.equal(await guess(fleet, { caller: `caller-${count}`, password: right }), 'token')
  assert.equal(fleet.requests.length, 1)
  await fleet.time.advance(290_000)
  await fleet.time.until(fleet.warm())
  assert.equal(fleet.requests.length, 1)
})
