import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UnsecuredJWT } from 'jose'
import {
  hasJwtId,
  hasOwnEnd,
  isFresh,
  isIssuedAhead,
  isUsable,
  lifetimeOf,
  lifetimeSeconds,
  secondsLeft,
} from '../../../lib/access-token/lifetime.ts'
import { Secret } from '../../../lib/secret/secret.ts'

const sentAt = 1_000_000_000_000
const policy = { assumedLifetimeSeconds: 300 }
const opaque = new Secret('opaque')

/** @param issuedAt in seconds, by the server's clock */
function jwt(seconds: number, issuedAt = sentAt / 1000): Secret {
  return new Secret(new UnsecuredJWT({ iat: issuedAt, exp: issuedAt + seconds }).encode())
}

test('a lifetime begins when the request was sent', () => {
  const { issuedAt, expiresAt } = lifetimeOf({ accessToken: opaque, expiresInSeconds: 600 }, policy, sentAt, 0.5)
  assert.equal(issuedAt, sentAt)
  assert.equal(expiresAt, sentAt + 600_000)
})

test("the shorter of expires_in and the lifetime in a JWT counts, whatever the server's clock says", () => {
  for (const ahead of [0, 65, -65, 86_400, -86_400]) {
    const accessToken = jwt(500, sentAt / 1000 + ahead)
    const secondsOf = (answer: { expiresInSeconds?: number }) =>
      (lifetimeOf({ accessToken, ...answer }, policy, sentAt, 0.5).expiresAt - sentAt) / 1000
    assert.equal(secondsOf({ expiresInSeconds: 600 }), 500)
    assert.equal(secondsOf({ expiresInSeconds: 400 }), 400)
    assert.equal(secondsOf({}), 500)
  }
})

test('the lifetime of a JWT without iat begins at nbf, and a JWT without both has no lifetime', () => {
  const claims = (payload: object) => new Secret(new UnsecuredJWT({ ...payload }).encode())
  const secondsOf = (accessToken: Secret) =>
    (lifetimeOf({ accessToken }, policy, sentAt, 0.5).expiresAt - sentAt) / 1000
  assert.equal(secondsOf(claims({ nbf: 1_000, exp: 1_060 })), 60)
  assert.equal(secondsOf(claims({ iat: 1_010, nbf: 1_000, exp: 1_060 })), 50)
  for (const odd of [{ exp: 1 }, { iat: 1_000 }, { iat: 1_000, exp: 1_000 }, { iat: 1_000, exp: 900 }])
    assert.equal(secondsOf(claims(odd)), 300, JSON.stringify(odd))
  assert.equal(
    lifetimeOf({ accessToken: claims({ exp: 1 }), expiresInSeconds: 60 }, policy, sentAt, 0.5).expiresAt,
    sentAt + 60_000,
  )
})

test('without any stated lifetime, assumedLifetimeSeconds counts', () => {
  assert.equal(lifetimeOf({ accessToken: opaque }, policy, sentAt, 0.5).expiresAt, sentAt + 300_000)
  for (const odd of ['a.b.c', 'eyJ.eyJ.x', '...'])
    assert.equal(lifetimeOf({ accessToken: new Secret(odd) }, policy, sentAt, 0.5).expiresAt, sentAt + 300_000)
})

test('no lifetime is longer than ten years, whatever the server says', () => {
  const tenYears = 10 * 365 * 86_400_000
  for (const expiresInSeconds of [1e300, tenYears / 1000 + 1])
    assert.equal(
      lifetimeOf({ accessToken: opaque, expiresInSeconds }, policy, sentAt, 0.5).expiresAt,
      sentAt + tenYears,
    )
})

test('an exp that is not a positive time is ignored', () => {
  const payload = (text: string) => new Secret(`eyJhbGciOiJub25lIn0.${Buffer.from(text).toString('base64url')}.`)
  for (const exp of ['0', '-5', '1e999', 'null', '[]']) {
    const answer = { accessToken: payload(`{"iat":1,"exp":${exp}}`) }
    assert.equal(lifetimeOf(answer, policy, sentAt, 0.5).expiresAt, sentAt + 300_000, exp)
  }
})

test('maximumLifetimeSeconds limits a stated lifetime', () => {
  const capped = { ...policy, maximumLifetimeSeconds: 120 }
  assert.equal(
    lifetimeOf({ accessToken: opaque, expiresInSeconds: 600 }, capped, sentAt, 0.5).expiresAt,
    sentAt + 120_000,
  )
  assert.equal(lifetimeOf({ accessToken: opaque }, capped, sentAt, 0.5).expiresAt, sentAt + 120_000)
})

test('the margin is a tenth of the lifetime, from 1 s to 30 s, or marginSeconds', () => {
  const margin = (expiresInSeconds: number, marginSeconds?: number) => {
    const { expiresAt, usableUntil } = lifetimeOf(
      { accessToken: opaque, expiresInSeconds },
      { ...policy, ...(marginSeconds !== undefined && { marginSeconds }) },
      sentAt,
      0.5,
    )
    return expiresAt - usableUntil
  }
  assert.deepEqual(
    [5, 100, 300, 86_400].map((seconds) => margin(seconds)),
    [1_000, 10_000, 30_000, 30_000],
  )
  assert.equal(margin(600, 0), 0)
  assert.equal(margin(600, 90), 90_000)
})

test('whatever a server says, a token is usable no longer than it is valid', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.001, max: 1e9, noNaN: true }),
      fc.option(fc.nat(1e6)),
      fc.nat(1000),
      (expiresIn, cap, now) => {
        const limited = { ...policy, ...(cap !== null && { maximumLifetimeSeconds: cap }) }
        const lifetime = lifetimeOf({ accessToken: opaque, expiresInSeconds: expiresIn }, limited, sentAt, 0.5)
        assert.ok(lifetime.usableUntil <= lifetime.expiresAt)
        assert.ok(lifetime.expiresAt <= sentAt + expiresIn * 1000)
        assert.ok(secondsLeft(lifetime, sentAt + now) * 1000 <= lifetime.expiresAt - (sentAt + now))
      },
    ),
    { seed: 20_261_130 },
  )
})

test('a token is stale after 75 to 85 % of its usable time, at random', () => {
  const refreshAfter = (random: number) => {
    const lifetime = lifetimeOf({ accessToken: opaque, expiresInSeconds: 330 }, policy, sentAt, random)
    return (lifetime.refreshAt - sentAt) / 1000
  }
  assert.deepEqual([0, 0.5, 1].map(refreshAfter), [225, 240, 255])
})

test('a token is fresh before refreshAt, and usable before its margin, to the millisecond', () => {
  const lifetime = { issuedAt: 1_000, refreshAt: 200_000, usableUntil: 270_000, expiresAt: 300_999 }
  assert.deepEqual(
    [199_999, 200_000].map((now) => isFresh(lifetime, now)),
    [true, false],
  )
  assert.deepEqual(
    [269_999, 270_000].map((now) => isUsable(lifetime, now)),
    [true, false],
  )
  assert.deepEqual(
    [1_000, 299_999, 300_000, 300_999].map((now) => secondsLeft(lifetime, now)),
    [299, 1, 0, 0],
  )
  assert.equal(lifetimeSeconds(lifetime), 299)
})

test('a token that does not have three parts is opaque', () => {
  const threeParts = jwt(500).reveal()
  for (const token of [`${threeParts}.more`, threeParts.replace('.', '')])
    assert.equal(lifetimeOf({ accessToken: new Secret(token) }, policy, sentAt, 0.5).expiresAt, sentAt + 300_000)
})

test('a token was issued ahead if its issue time is more than its margin, and at least 1 s, in the future', () => {
  const from = (issuedAt: number, margin: number) => {
    const expiresAt = issuedAt + 300_000
    return { issuedAt, refreshAt: issuedAt, usableUntil: expiresAt - margin, expiresAt }
  }
  assert.ok(!isIssuedAhead(from(sentAt + 30_000, 30_000), sentAt))
  assert.ok(isIssuedAhead(from(sentAt + 30_001, 30_000), sentAt))
  assert.ok(!isIssuedAhead(from(sentAt + 1_000, 0), sentAt))
  assert.ok(isIssuedAhead(from(sentAt + 1_001, 0), sentAt))
  assert.ok(!isIssuedAhead(from(sentAt - 86_400_000, 0), sentAt))
})

test('only a token that states its lifetime has its own end', () => {
  assert.ok(hasOwnEnd(jwt(500)))
  assert.ok(!hasOwnEnd(opaque))
  assert.ok(!hasOwnEnd(jwt(0)))
})

test('only a JWT with a jti has one', () => {
  const jwt = (claims: Record<string, unknown>) => new Secret(new UnsecuredJWT(claims).encode())
  for (const jti of ['a', '', 0, null]) assert.equal(hasJwtId(jwt({ jti })), true, String(jti))
  assert.equal(hasJwtId(jwt({ exp: 1 })), false)
  assert.equal(hasJwtId(new Secret('opaque')), false)
})
