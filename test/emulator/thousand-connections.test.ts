import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manyConnections } from '../support/elements/many-connections.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import { deployStage } from './deployed-stage.ts'

/*
 * A stage with 1,000 connections. ministack throttles no puts, so this says nothing about the time that Parameter Store needs:
 * infra/README.md says it.
 */

const withMadeKeys = 200
/** Each connection has six, and all share `ssl` and a trust store. */
const elementCount = 6_002
const changedElement = 'oAuthConfig/conn7'

test('1,000 connections of six elements are deployed, and the change of one writes one parameter', async (t) => {
  const elementsOf = (issuer: string) => manyConnections({ issuer, stage: 'prod', connections: 1_000, withMadeKeys })
  const deployed = await startIfThere(t, () =>
    deployStage(t, {
      clients: { theClient: 'conn7' },
      elements: elementsOf,
      settings: ['signingKeysInStack=[]'],
      showsDifference: false,
    }),
  )
  if (!deployed) return
  const caller = await deployed.callerOf('a-caller', ['conn7'])

  await t.test('nested stacks have a secret for each builder of a key', async () => {
    const rotations = deployed.leftOut.resources.filter(({ Type }) => Type === 'AWS::SecretsManager::RotationSchedule')
    assert.equal(rotations.length, withMadeKeys)
    for (const id of [0, 7, withMadeKeys - 1]) assert.equal(await deployed.hasSecret(`jwk/conn${id}`), true)
    assert.equal(await deployed.hasSecret(`jwk/conn${withMadeKeys}`), false)
  })

  // ministack has no rotation schedules, which make the first keys. The test makes one key by hand, as 200 would take minutes.
  await t.test('a connection gets a token with a key that its rotation made', async () => {
    await deployed.rotate('conn7')
    const { status, source, error } = await deployed.getToken('conn7', caller)
    assert.deepEqual([status, source], [200, 'server'], error)
  })

  await t.test('each parameter was written once, and only that of the changed connection twice', async () => {
    const keys = await deployed.publishedKeys('conn7')
    const elements = elementsOf(deployed.server.issuer)
    Object.assign(elements['oAuthConfig']?.['conn7'] ?? assert.fail('there is no conn7'), { scope: 'openid' })
    await deployed.deploy(elements, ['signingKeysInStack=[]'])
    const versions = await deployed.parameterVersions()
    assert.equal(versions.size, elementCount)
    const writtenAgain = [...versions].filter(([, version]) => version !== 1)
    assert.deepEqual(writtenAgain, [[changedElement, 2]])
    assert.deepEqual(await deployed.publishedKeys('conn7'), keys)
  })
})
