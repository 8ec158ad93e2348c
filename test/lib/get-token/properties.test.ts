import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TimedOutError, UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { createSeveralTokensFleet, sessionToken } from '../../support/virtual/several-tokens.ts'
import {
  createTokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'

/* Properties for random lifetimes, answers, faults and clocks. A failing test prints its seed. */

const someAnswer = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('token' as const), expiresIn: fc.integer({ min: 1, max: 600 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('down', 'late', 'refusal', 'nonsense', '503', '429') }) },
)
const someStep = fc.record({
  wait: fc.integer({ min: 0, max: 120_000 }),
  jump: fc.option(fc.integer({ min: 0, max: 600_000 }), { freq: 8 }),
  callers: fc.integer({ min: 1, max: 5 }),
  minimumSeconds: fc.option(fc.integer({ min: 0, max: 400 }), { nil: 0 }),
})
type SomeAnswer = { readonly kind: string; readonly expiresIn?: number }

function createFarEnd(answers: readonly SomeAnswer[]) {
  const expiries = new Map<string, number>()
  let underWay = 0
  let mostUnderWay = 0
  let isMended = false
  const tokens = createTokensInVirtualTime(
    async ({ at, index }) => {
      mostUnderWay = Math.max(mostUnderWay, ++underWay)
      try {
        await tokens.time.pause(100)
        const { kind, expiresIn = 300 } = (isMended ? undefined : answers[index % answers.length]) ?? { kind: 'token' }
        switch (kind) {
          case 'down':
            throw new UnreachableError('connection refused')
          case 'late':
            throw new TimedOutError('too late')
          case 'refusal':
            return virtualRefusal('invalid_client')
          case 'nonsense':
            return { status: 200, body: '<html>' }
          case '503':
            return { status: 503, body: '' }
          case '429':
            return { status: 429, retryAfter: '3', body: '' }
          default: {
            const answer = virtualToken({ expires_in: expiresIn })
            expiries.set(JSON.parse(answer.body).access_token, at + expiresIn * 1000)
            return answer
          }
        }
      } finally {
        underWay--
      }
    },
    { latency: 0, random: Math.random },
  )
  return {
    tokens,
    mostUnderWay: () => mostUnderWay,
    expiryOf: (token: string) => expiries.get(token) ?? assert.fail('an unknown token'),
    mend() {
      isMended = true
    },
  }
}

test('no expired token is ever handed out, no two requests for one token overlap, and after the faults a token comes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(someAnswer, { minLength: 1, maxLength: 8 }),
      fc.array(someStep, { minLength: 1, maxLength: 12 }),
      async (answers, steps) => {
        const { tokens, mostUnderWay, expiryOf, mend } = createFarEnd(answers)
        for (const { wait, jump, callers, minimumSeconds } of steps) {
          await tokens.time.advance(wait)
          tokens.time.jump(jump ?? 0)
          const calls = Array.from({ length: callers }, async () => {
            const answer = await tokens.get({ minimumSeconds })
            return { ...answer, at: tokens.time.now() }
          })
          for (const answer of await tokens.time.until(Promise.allSettled(calls))) {
            if (answer.status === 'rejected') continue
            const { token, secondsLeft, at } = answer.value
            assert.ok(expiryOf(token.accessToken.reveal()) > at, 'an expired token')
            assert.ok(secondsLeft * 1000 <= expiryOf(token.accessToken.reveal()) - at, 'longer than it lives')
            assert.ok(secondsLeft >= Math.max(1, minimumSeconds))
            assert.ok(token.expiresAt <= expiryOf(token.accessToken.reveal()))
          }
          assert.ok(mostUnderWay() <= 1, 'two requests for one token at a time')
        }
        mend()
        await tokens.time.advance(300_000)
        const { token } = await tokens.time.until(tokens.get())
        assert.ok(expiryOf(token.accessToken.reveal()) > tokens.time.now())
      },
    ),
    { numRuns: 200 },
  )
})

test('a token that is handed out lives as long as the answer says', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 400 }),
      fc.array(fc.nat(60_000), { maxLength: 20 }),
      async (expiresIn, waits) => {
        const { tokens, expiryOf } = createFarEnd([{ kind: 'token', expiresIn }])
        for (const wait of waits) {
          await tokens.time.advance(wait)
          const { token, secondsLeft } = await tokens.time.until(tokens.get())
          const left = expiryOf(token.accessToken.reveal()) - tokens.time.now()
          assert.ok(left > 0)
          assert.ok(secondsLeft * 1000 <= left + 1)
        }
      },
    ),
    { numRuns: 200 },
  )
})

const servers = ['theServer', 'sessionServer'] as const
const tokensOfServers = { theServer: undefined, sessionServer: 'session' } as const
const someFaults = fc.record({
  theServer: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
  sessionServer: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
})

test('whichever token servers of a connection fail and when, each request gets the token that it names, and no other one suffers', async () => {
  await fc.assert(
    fc.asyncProperty(
      someFaults,
      fc.array(fc.record({ wait: fc.nat(120_000), isRejected: fc.boolean() }), { minLength: 1, maxLength: 6 }),
      async (faults, steps) => {
        const count = { theServer: 0, sessionServer: 0 }
        const fleet = createSeveralTokensFleet(({ server }) => {
          const of = server === 'theServer' ? 'theServer' : 'sessionServer'
          if (faults[of][count[of]++ % faults[of].length]) throw new UnreachableError('connection refused')
          return of === 'theServer' ? virtualToken() : sessionToken()
        })
        for (const { wait, isRejected } of steps) {
          await fleet.time.advance(wait)
          for (const server of servers) {
            const request = { ...(tokensOfServers[server] && { authentication: tokensOfServers[server] }) }
            const [first] = await fleet.time.until(Promise.allSettled([fleet.caller.get(request)]))
            if (first.status === 'rejected') {
              assert.ok(faults[server].includes(true), `${server} is fine`)
              continue
            }
            const { id, accessToken } = first.value.token
            assert.equal(accessToken.reveal().startsWith('some-session'), server === 'sessionServer')
            if (isRejected)
              await fleet.time.until(Promise.allSettled([fleet.caller.get({ ...request, rejectedTokenId: id })]))
          }
          await fleet.time.until(fleet.caller.get({ authentication: 'signed' }))
          await fleet.time.until(fleet.refresher.warm())
        }
      },
    ),
    { numRuns: 20 },
  )
})
