import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { compactVerify, decodeProtectedHeader } from 'jose'
import { publishedKeysRecordName, RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { keysOf } from '../../../lib/key-lifecycle/published-keys.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { KeyServiceError } from '../../../lib/signing/key-service.ts'
import { keyIdOf } from '../../../lib/signing/signing-key.ts'
import { arnOf, type TestKeyService, testKeyService } from '../../support/virtual/key-services.ts'
import { publicationIn } from '../../support/virtual/publications.ts'
import { virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import { createFleetThatSigns, type FleetThatSigns, type FleetThatSignsOptions } from './fleet-that-signs.ts'

/* A fleet whose jwtBuilder signs with a key in KMS. Every signature is checked with the key that is meant. */

const minute = 60_000
const day = 24 * 60 * minute
const aliasOf = (name: string) => `alias/tokenwell/local/${name}`
const one = generateKey('ES256', 0)
const two = generateKey('ES256', 0)
const three = generateKey('ES256', 0)
const [kidOne, kidTwo, kidThree] = [keyIdOf(one), keyIdOf(two), keyIdOf(three)]

const theBuilder = { builder: { jwkEnabled: false, keyStoreRef: 'inKms' } }
const keyStore = (name: string, more: object = {}) => ({
  keyStore: {
    theTrust: { location: 'tokenwell/local/authorization-server-ca' },
    inKms: { location: `kms:${aliasOf(name)}`, ...more },
  },
})

interface Fleet extends FleetThatSigns {
  readonly keyService: TestKeyService
}

function createFleet(options: FleetThatSignsOptions = {}): Fleet {
  const keyService = testKeyService({ [aliasOf('one')]: one, [aliasOf('two')]: two, [aliasOf('three')]: three })
  const fleet = createFleetThatSigns({ changes: theBuilder, more: keyStore('one'), keyService, ...options })
  return { ...fleet, keyService }
}

/** Asks an instance for a new token. Returns the kid of the key that has signed for it. */
async function signingKid(fleet: Fleet, instance = fleet.instances[0]): Promise<string | undefined> {
  await fleet.askAnew(instance)
  const assertion = fleet.requests.at(-1)?.assertion ?? assert.fail('no assertion was sent')
  const { kid } = decodeProtectedHeader(assertion)
  const key = [one, two, three].find((each) => keyIdOf(each) === kid) ?? assert.fail(`signed by ${kid}`)
  await fleet.time.until(compactVerify(assertion, createPublicKey(key)))
  return kid
}

async function pins({ store, time }: Fleet) {
  const publication = await publicationIn(store, 'theBuilder', time.now())
  return keysOf(publication, time.now()).map(({ jwk, pin }) => [jwk.kid, pin] as const)
}

async function publishHourly(fleet: Fleet, milliseconds: number): Promise<void> {
  const end = fleet.time.now() + milliseconds
  while (fleet.time.now() < end) {
    await fleet.time.advance(Math.min(60 * minute, end - fleet.time.now()))
    await fleet.publish('theBuilder')
  }
}

test('before anything is published, the key of the alias signs', async () => {
  const fleet = createFleet()
  assert.equal(await signingKid(fleet), kidOne)
})

test('the first key of a jwtBuilder is published with its ARN, and signs at once', async () => {
  const fleet = createFleet()
  const now = fleet.time.now()
  await fleet.publish('theBuilder')
  assert.deepEqual(await fleet.published(), [kidOne])
  assert.deepEqual(await pins(fleet), [[kidOne, { keyArn: arnOf(one), signsFrom: now }]])
  assert.equal(await signingKid(fleet), kidOne)
  const published = await publicationIn(fleet.store, 'theBuilder', fleet.time.now())
  const [key] = keysOf(published, fleet.time.now())
  const { kty, crv, x, y } = one.export({ format: 'jwk' })
  assert.deepEqual(key?.jwk, { kty, crv, x, y: y ?? '', kid: kidOne, use: 'sig', alg: 'ES256' })
})

for (const how of ['a second alias in location', 'an alias that is moved to another key'])
  test(`${how}: the new key signs a day after it was published, by every instance`, async () => {
    const fleet = createFleet()
    const startedAt = fleet.time.now()
    await fleet.publish('theBuilder')
    assert.equal(await signingKid(fleet), kidOne)
    await publishHourly(fleet, day)
    if (how.startsWith('an alias')) fleet.keyService.aliases.set(aliasOf('one'), two)
    else fleet.change(theBuilder, keyStore('two'))
    await fleet.publish('theBuilder')
    const changedAt = fleet.time.now()
    assert.deepEqual((await fleet.published()).toSorted(), [kidOne, kidTwo].toSorted())

    await publishHourly(fleet, day - minute)
    for (const instance of [...fleet.instances, fleet.join()]) assert.equal(await signingKid(fleet, instance), kidOne)
    await fleet.time.advance(minute)
    for (const instance of [...fleet.instances, fleet.join()]) assert.equal(await signingKid(fleet, instance), kidTwo)
    assert.ok(fleet.keyService.signed.every(({ keyArn }) => keyArn.startsWith('arn:')))
    assert.deepEqual(await pins(fleet), [
      [kidTwo, { keyArn: arnOf(two), signsFrom: changedAt + day }],
      [kidOne, { keyArn: arnOf(one), signsFrom: startedAt, signsUntil: changedAt + day }],
    ])
    await publishHourly(fleet, 60 * minute)
    assert.deepEqual(await fleet.published(), [kidTwo], 'the key before it stays for the drain period alone')
  })

test('the trial of a new key is due when it starts to sign', async () => {
  const fleet = createFleet()
  await fleet.publish('theBuilder')
  await publishHourly(fleet, day)
  fleet.change(theBuilder, keyStore('two'))
  await fleet.publish('theBuilder')
  const [record] = await fleet.store.read([publishedKeysRecordName('theBuilder')])
  assert.equal(record?.dueAt, fleet.time.now() + day)
})

test('a change that is taken back before the new key signs: the key before it goes on, without an end', async () => {
  const fleet = createFleet()
  await fleet.publish('theBuilder')
  const startedAt = fleet.time.now()
  await publishHourly(fleet, day)
  fleet.change(theBuilder, keyStore('two'))
  await publishHourly(fleet, day / 2)
  fleet.change(theBuilder, keyStore('one'))
  await fleet.publish('theBuilder')
  assert.deepEqual(
    (await pins(fleet)).filter(([, pin]) => pin),
    [[kidOne, { keyArn: arnOf(one), signsFrom: startedAt }]],
  )
  await publishHourly(fleet, 2 * day)
  assert.equal(await signingKid(fleet), kidOne)
  assert.deepEqual(await fleet.published(), [kidOne])
})

test('a third key in place of one that has not signed starts its own day', async () => {
  const fleet = createFleet()
  await fleet.publish('theBuilder')
  await publishHourly(fleet, day)
  fleet.change(theBuilder, keyStore('two'))
  await publishHourly(fleet, day / 2)
  fleet.change(theBuilder, keyStore('three'))
  await fleet.publish('theBuilder')
  await publishHourly(fleet, day - minute)
  assert.equal(await signingKid(fleet), kidOne)
  await fleet.time.advance(7 * minute)
  assert.equal(await signingKid(fleet), kidThree)
})

test('a revoked key signs no longer, and the key of the next alias signs at once', async () => {
  const fleet = createFleet()
  await fleet.publish('theBuilder')
  assert.equal(await signingKid(fleet), kidOne)
  await fleet.answer({ type: 'RevokeKey', jwtBuilder: 'theBuilder', kid: kidOne })
  assert.deepEqual(await fleet.published(), [])
  for (const instance of [fleet.instances[0], fleet.join()])
    await assert.rejects(
      fleet.askAnew(instance),
      (error: Error) => error instanceof KeyServiceError && error.message.includes(`has revoked ${kidOne}`),
    )
  fleet.change(theBuilder, keyStore('two'))
  await fleet.publish('theBuilder')
  await fleet.time.advance(5 * minute)
  for (const instance of fleet.instances) assert.equal(await signingKid(fleet, instance), kidTwo)
})

test('a staged key that is revoked never signs', async () => {
  const fleet = createFleet()
  await fleet.publish('theBuilder')
  await publishHourly(fleet, day)
  fleet.change(theBuilder, keyStore('two'))
  await fleet.publish('theBuilder')
  await fleet.answer({ type: 'RevokeKey', jwtBuilder: 'theBuilder', kid: kidTwo })
  await publishHourly(fleet, 2 * day)
  for (const instance of [...fleet.instances, fleet.join()]) assert.equal(await signingKid(fleet, instance), kidOne)
  assert.deepEqual(await fleet.published(), [kidOne])
})

test('after a revocation while a next key is staged, that key signs at once', async () => {
  const fleet = createFleet()
  await fleet.publish('theBuilder')
  await publishHourly(fleet, day)
  fleet.change(theBuilder, keyStore('two'))
  await fleet.publish('theBuilder')
  assert.equal(await signingKid(fleet), kidOne)
  await fleet.answer({ type: 'RevokeKey', jwtBuilder: 'theBuilder', kid: kidOne })
  for (const instance of [...fleet.instances, fleet.join()]) assert.equal(await signingKid(fleet, instance), kidTwo)
})

test('a server that refuses the new key gets the key before it in a second attempt', async () => {
  const refused = (kid: string | undefined) => kid === kidTwo
  const fleet = createFleet({
    endpoint: ({ assertion }) =>
      refused(decodeProtectedHeader(assertion ?? '').kid)
        ? { status: 401, headers: {}, body: JSON.stringify({ error: 'invalid_client' }) }
        : virtualToken(),
  })
  await fleet.publish('theBuilder')
  await publishHourly(fleet, day)
  fleet.change(theBuilder, keyStore('two'))
  await fleet.publish('theBuilder')
  await publishHourly(fleet, day + 5 * minute)
  assert.equal(await signingKid(fleet), kidOne)
  assert.ok(fleet.events.some(({ event }) => event === 'previous_key_tried'))
})

test('another key with the kid of one that is published: nothing changes, and the log says why', async () => {
  const fleet = createFleet({ more: keyStore('one', { kid: 'ours' }) })
  await fleet.publish('theBuilder')
  fleet.keyService.aliases.set(aliasOf('one'), two)
  await publishHourly(fleet, day - minute)
  const failed = fleet.events.filter((each) => each.event === 'publication_failed')
  assert.match(
    failed[0]?.reason ?? '',
    /is another key than the one that jwtBuilder\/theBuilder publishes with the kid ours/,
  )
  await fleet.askAnew()
  assert.equal(fleet.keyService.signed.at(-1)?.keyArn, arnOf(one))
})

test('while the shared cache is down, an instance signs with what it pinned, and a new one with the key of the alias', async () => {
  let isDown = false
  const fleet = createFleet({
    wrapStore: (store) => ({
      ...store,
      read: async (names) =>
        isDown ? Promise.reject(new RecordStoreError('the cache is down')) : await store.read(names),
    }),
  })
  await fleet.publish('theBuilder')
  assert.equal(await signingKid(fleet), kidOne)
  fleet.keyService.aliases.set(aliasOf('one'), two)
  isDown = true
  await fleet.time.advance(20 * minute)
  assert.equal(await signingKid(fleet), kidOne)
  assert.equal(await signingKid(fleet, fleet.join()), kidTwo)
})

test('an old publication that is put back makes its key sign until the next reconciliation', async () => {
  const fleet = createFleet()
  const name = publishedKeysRecordName('theBuilder')
  const read = async () => (await fleet.store.read([name]))[0] ?? assert.fail('nothing is published')
  await fleet.publish('theBuilder')
  const old = await read()
  fleet.keyService.aliases.set(aliasOf('one'), two)
  await publishHourly(fleet, 2 * day)
  assert.equal(await signingKid(fleet), kidTwo)
  assert.ok(await fleet.store.write(name, old, (await read()).version))
  await fleet.time.advance(6 * minute)
  assert.equal(await signingKid(fleet), kidOne)
  await fleet.publish('theBuilder')
  await fleet.time.advance(6 * minute)
  assert.equal(await signingKid(fleet), kidTwo)
})

test('a record that is rejected does not unpin what an instance knows, so a moved alias still signs nothing', async () => {
  const fleet = createFleet()
  const name = publishedKeysRecordName('theBuilder')
  await fleet.publish('theBuilder')
  assert.equal(await signingKid(fleet), kidOne)
  fleet.keyService.aliases.set(aliasOf('one'), two)
  const [record = assert.fail('nothing is published')] = await fleet.store.read([name])
  const forged = { ...record, version: 'forged', fields: { ...record.fields, signature: 'forged' } }
  assert.ok(await fleet.store.write(name, forged, record.version))
  await fleet.time.advance(6 * minute)
  assert.equal(await signingKid(fleet), kidOne)
})

test('KMS that throttles cools nothing down: the next request goes to KMS again', async () => {
  const fleet = createFleet()
  await fleet.publish('theBuilder')
  fleet.keyService.failure = new KeyServiceError(aliasOf('one'), 'cannot be used now.', { isPassing: true })
  await assert.rejects(fleet.askAnew(), { code: 'key_service', isPassing: true })
  assert.deepEqual(
    fleet.events.filter(({ event }) => event === 'cool_down_begun'),
    [],
  )
  fleet.keyService.failure = undefined
  assert.equal(await signingKid(fleet), kidOne)
})
