import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { ownJwt } from '../../support/elements/own-jwt.ts'

/** The settings of the generated key, and the warnings about them. */
async function resolve(t: TestContext, builder: Record<string, unknown>) {
  const { clientAuthentication, warnings } = await resolveConn(t, exampleElements(exampleIssuer, { builder }))
  assert.ok(clientAuthentication.method === 'private_key_jwt')
  return { generated: ownJwt(clientAuthentication.assertion).key.generated, warnings: warnings.map(describeFinding) }
}

const mistakesOfBuilder = (t: TestContext, builder: Record<string, unknown>) =>
  mistakesOf(t, exampleElements(exampleIssuer, { builder }))

test('by default a key is made every 30 days and published one day before it signs', async (t) => {
  for (const [builder, rotationSeconds, publishAheadSeconds] of [
    [{}, 30 * 86_400, 86_400],
    [{ jwkRotationTime: '48h', publishAheadSeconds: 7_200 }, 2 * 86_400, 7_200],
    [{ jwkRotationTime: 240, publishAheadSeconds: '3600' }, 4 * 3_600, 3_600],
    [{ signatureAlgorithm: 'ES256', jwkRotationTime: '25h' }, 25 * 3_600, 86_400],
  ] as const) {
    const { generated, warnings } = await resolve(t, builder)
    assert.deepEqual(generated, { modulusLength: 2048, rotationSeconds, publishAheadSeconds })
    assert.deepEqual(warnings, [])
  }
})

test('a key that is published for no longer than the JWK set may be cached draws a warning', async (t) => {
  for (const publishAheadSeconds of [0, 360])
    assert.deepEqual((await resolve(t, { publishAheadSeconds })).warnings, [
      "jwtBuilder/theBuilder publishAheadSeconds: A server may use a JWK set that is 360 s old, and would not know a key that signs earlier. Make it longer than 360 s and longer than the server's own cache time.",
    ])
})

test('a key that is published for less than an hour draws a warning about caches', async (t) => {
  for (const publishAheadSeconds of [361, 3_599]) {
    const { generated, warnings } = await resolve(t, { publishAheadSeconds })
    assert.equal(generated?.publishAheadSeconds, publishAheadSeconds)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /^jwtBuilder\/theBuilder publishAheadSeconds: Servers cache JWK sets/)
  }
  assert.deepEqual((await resolve(t, { publishAheadSeconds: 3_600 })).warnings, [])
})

test('publishAheadSeconds that is not shorter than jwkRotationTime is a mistake of the attribute that was set', async (t) => {
  const sentence = (ahead: number, every: number) =>
    `publishAheadSeconds (${ahead} s) must be shorter than jwkRotationTime (${every} s). Otherwise a key does not sign yet when Tokenwell makes the next one.`
  const place = 'jwtBuilder/theBuilder'
  for (const [builder, expected] of [
    [{ jwkRotationTime: '24h' }, `${place} jwkRotationTime: ${sentence(86_400, 86_400)}`],
    [{ publishAheadSeconds: 2_592_000 }, `${place} publishAheadSeconds: ${sentence(2_592_000, 2_592_000)}`],
    [
      { jwkRotationTime: '4h', publishAheadSeconds: 14_401 },
      `${place} publishAheadSeconds: ${sentence(14_401, 14_400)}`,
    ],
  ] as const)
    assert.deepEqual(await mistakesOfBuilder(t, builder), [expected])
  await resolve(t, { jwkRotationTime: '4h', publishAheadSeconds: 14_399 })
})
