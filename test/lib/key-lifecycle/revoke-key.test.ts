import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishedKeysRecordName, RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import { broughtName, createFleetThatSigns, type FleetThatSigns, generatedName, keySet } from './fleet-that-signs.ts'

const revoke = (kid: string, jwtBuilder = 'theBuilder') => ({ type: 'RevokeKey', jwtBuilder, kid }) as const
const brought = { builder: { jwkEnabled: false, keyStoreRef: 'theKeys' } }
const keyStores = {
  keyStore: {
    theTrust: { location: 'tokenwell/local/authorization-server-ca' },
    theKeys: { location: broughtName },
    theOtherKeys: { location: 'tokenwell/local/the-other-keys' },
  },
}
const secondsPublishedAhead = 86_400

/** Each instance has obtained a token, and has its key in memory. */
async function theFleet(...parts: Parameters<typeof createFleetThatSigns>): Promise<FleetThatSigns> {
  const fleet = createFleetThatSigns(...parts)
  await fleet.rotate('first')
  for (const instance of fleet.instances) await fleet.askAnew(instance)
  return fleet
}

async function assertNobodySignsWith(fleet: FleetThatSigns, kid: string, message: RegExp): Promise<void> {
  const at = fleet.time.now()
  for (const instance of [...fleet.instances, fleet.join()])
    await assert.rejects(fleet.askAnew(instance), (error) => {
      assert.ok(error instanceof KeyStoreError)
      assert.match(error.message, message)
      return true
    })
  assert.ok(!fleet.kidsSince(at).includes(kid))
}

test('30 s after its event no instance signs with a revoked key, and no instance publishes it', async () => {
  const fleet = await theFleet()
  const kid = fleet.signingKid()
  assert.deepEqual(await fleet.published(), [kid])
  const { token } = await fleet.askAnew()
  await fleet.answer(revoke(kid))
  await assertNobodySignsWith(
    fleet,
    kid,
    /^The secret tokenwell\/local\/jwk\/theBuilder has no key that may sign: the operator has revoked/,
  )
  await fleet.time.advance(30_000)
  assert.deepEqual(await fleet.published(), [])
  assert.ok(token.usableUntil > fleet.time.now(), 'tokens that it has brought are good')
})

test('the error says how to get a new key', async () => {
  const fleet = await theFleet()
  await fleet.answer(revoke(fleet.signingKid()))
  await assert.rejects(
    fleet.askAnew(),
    /Rotate the secret; .*: aws secretsmanager rotate-secret --secret-id tokenwell\/local\/jwk\/theBuilder$/,
  )
})

test('a rotation after that makes a key that signs at once, and drops the revoked one', async () => {
  const fleet = await theFleet()
  const kid = fleet.signingKid()
  await fleet.answer(revoke(kid))
  await fleet.rotate('second')
  await fleet.answer({ type: 'SecretChanged', name: generatedName })
  const at = fleet.time.now()
  for (const instance of fleet.instances) await fleet.askAnew(instance)
  const next = fleet.signingKid()
  assert.notEqual(next, kid)
  assert.deepEqual(new Set(fleet.kidsSince(at)), new Set([next]))
  assert.doesNotMatch(fleet.secrets.current(generatedName), new RegExp(kid))
  await fleet.time.advance(30_000)
  assert.deepEqual(await fleet.published(), [next])
})

test('after a rotation a staged key signs at once; if the staged key is revoked, the current key continues to sign', async () => {
  for (const isWaitingOne of [false, true]) {
    const fleet = await theFleet()
    const current = fleet.signingKid()
    await fleet.time.advance(60_000)
    await fleet.rotate('second')
    await fleet.answer({ type: 'SecretChanged', name: generatedName })
    await fleet.time.advance(30_000)
    const waiting = (await fleet.published()).find((kid) => kid !== current) ?? assert.fail()
    await fleet.answer(revoke(isWaitingOne ? waiting : current))
    await fleet.rotate('third')
    await fleet.answer({ type: 'SecretChanged', name: generatedName })
    const at = fleet.time.now()
    for (const instance of fleet.instances) await fleet.askAnew(instance)
    assert.deepEqual(new Set(fleet.kidsSince(at)), new Set([isWaitingOne ? current : waiting]))
    if (!isWaitingOne) continue
    await fleet.time.advance(2 * secondsPublishedAhead * 1000)
    await fleet.askAnew()
    assert.ok(![current, waiting].includes(fleet.signingKid()), 'another one has taken its place')
  }
})

test('a second attempt does not use a revoked key', async () => {
  let kidOfOld = ''
  const fleet = await theFleet({
    endpoint: ({ claims }) =>
      kidOfOld === '' || claims['kid'] === kidOfOld ? virtualToken() : virtualRefusal('invalid_client'),
  })
  const old = fleet.signingKid()
  await fleet.answer(revoke(old))
  await fleet.rotate('second')
  await fleet.answer({ type: 'SecretChanged', name: generatedName })
  kidOfOld = old
  const at = fleet.time.now()
  await assert.rejects(fleet.askAnew(), { code: 'cooling_down' })
  assert.ok(!fleet.kidsSince(at).includes(old))
})

test('a request that is repeated after a pause has no assertion by a key that was revoked meanwhile', async () => {
  let isDown = false
  const fleet = await theFleet({
    endpoint: () => (isDown ? { status: 503, body: '', retryAfter: '20' } : virtualToken()),
  })
  const kid = fleet.signingKid()
  isDown = true
  const at = fleet.time.now()
  const asking = fleet.askAnew(fleet.instances[1]).catch((error: unknown) => error)
  await fleet.time.advance(100)
  await fleet.answer(revoke(kid))
  await asking
  assert.deepEqual(fleet.kidsSince(at), [kid], 'the one that was sent before')
})

test('neither reconciliation nor a change of the secret or its elements publishes a revoked key again', async () => {
  const fleet = await theFleet()
  const kid = fleet.signingKid()
  await fleet.answer(revoke(kid))
  await fleet.answer({ type: 'ReconcileElements' })
  await fleet.answer({ type: 'SecretChanged', name: generatedName })
  await fleet.answer({ type: 'ElementChanged', kind: 'jwtBuilder', id: 'theBuilder' })
  await fleet.time.advance(30_000)
  assert.deepEqual(await fleet.published(), [])
  fleet.change({ builder: { signatureAlgorithm: 'RS256' } })
  await fleet.answer({ type: 'ReconcileElements' })
  await fleet.time.advance(30_000)
  assert.deepEqual(await fleet.published(), [])
})

test('a version of the secret that is made current again does not bring a revoked key back', async () => {
  const fleet = await theFleet()
  const [kid, before] = [fleet.signingKid(), fleet.secrets.current(generatedName)]
  await fleet.answer(revoke(kid))
  await fleet.rotate('second')
  await fleet.time.advance(100 * 86_400_000)
  fleet.secrets.put(generatedName, before)
  await fleet.answer({ type: 'SecretChanged', name: generatedName })
  await assertNobodySignsWith(fleet, kid, /revoked/)
  await fleet.time.advance(30_000)
  assert.ok(!(await fleet.published()).includes(kid))
})

test('a key that is revoked before its rotation is finished is not activated', async () => {
  const fleet = await theFleet()
  await fleet.time.advance(60_000)
  const current = fleet.signingKid()
  await assert.rejects(
    fleet.rotate('second', async (step) => {
      if (step === 'setSecret') await fleet.answer(revoke(await fleet.pendingKid('second')))
    }),
    { code: 'rotation_given_up', message: /^The next key .+ was revoked\./ },
  )
  assert.equal(fleet.signingKid(), current)
  await fleet.time.advance(30_000)
  assert.deepEqual(await fleet.published(), [current])
})

test('a key of the operator is revoked for every jwtBuilder that signs with its secret; the same kid in another secret is another key', async () => {
  const jwtBuilder = (keyStoreRef: string, keyAlias: string) => ({
    ...{ issuer: 'theClient', signatureAlgorithm: 'ES256', keyStoreRef, keyAlias },
  })
  const tokenConfig = (tokenGeneratorRef: string) => ({ tokenGeneratorRef, tokenSubject: 'theClient' })
  const config = (jwtAuthenticationTokenRef: string) => ({ authServerRef: 'theServer', jwtAuthenticationTokenRef })
  const builders = {
    theBuilder: jwtBuilder('theKeys', 'one'),
    same: jwtBuilder('theKeys', 'one'),
    free: jwtBuilder('theKeys', 'two'),
    other: jwtBuilder('theOtherKeys', 'one'),
  }
  const names = Object.keys(builders)
  const fleet = createFleetThatSigns({
    more: {
      ...keyStores,
      jwtBuilder: builders,
      oAuthTokenConfig: Object.fromEntries(names.map((name) => [name, tokenConfig(name)])),
      oAuthConfig: Object.fromEntries(names.map((name) => [name, config(name)])),
      endpointConnection: Object.fromEntries(names.map((name) => [name, { authenticationConfigRef: name }])),
    },
  })
  fleet.secrets.put(broughtName, keySet('one', 'two'))
  fleet.secrets.put('tokenwell/local/the-other-keys', keySet('one'))
  await fleet.publish(...names)
  for (const name of names) await fleet.askAnew(fleet.instances[0], name)
  await fleet.answer(revoke('one'))
  for (const name of ['theBuilder', 'same'])
    await assert.rejects(
      fleet.askAnew(fleet.instances[1], name),
      /revoked one\. Store a new key with another kid in it/,
    )
  for (const name of ['free', 'other']) await fleet.askAnew(fleet.instances[1], name)
  await fleet.time.advance(30_000)
  const published = await Promise.all(names.map((name) => fleet.published(name)))
  assert.deepEqual(published, [[], [], ['two'], ['one']])
})

test('a secret or element that cannot be read keeps no key from being withdrawn', async () => {
  for (const breakIt of [
    (fleet: FleetThatSigns) => fleet.secrets.put(generatedName, 'no key'),
    (fleet: FleetThatSigns) => fleet.change({ builder: { jwkSigningKeySize: 7 } }),
  ]) {
    const fleet = await theFleet()
    const kid = fleet.signingKid()
    breakIt(fleet)
    await fleet.answer(revoke(kid)).catch(() => {})
    await fleet.time.advance(30_000)
    assert.deepEqual(await fleet.published(), [])
  }
})

test('revokedKeys in the element revokes keys without an event, as long as the attribute is set', async () => {
  const fleet = await theFleet()
  const kid = fleet.signingKid()
  fleet.change({ builder: { revokedKeys: kid } })
  await fleet.answer({ type: 'ReconcileElements' })
  await fleet.time.advance(60_000)
  await assertNobodySignsWith(fleet, kid, /revoked/)
  assert.deepEqual(await fleet.published(), [])
  await fleet.rotate('second')
  assert.doesNotMatch(fleet.secrets.current(generatedName), new RegExp(kid))
})

test('a key stays revoked after a repeated event and after a change of its secret', async () => {
  const fleet = await theFleet()
  const kid = fleet.signingKid()
  for (let count = 0; count < 3; count++) await fleet.answer(revoke(kid))
  await fleet.answer({ type: 'SecretChanged', name: 'tokenwell/local/another' })
  await assertNobodySignsWith(fleet, kid, /revoked/)
  const told = fleet.events.filter(({ event }) => event === 'key_revoked')
  assert.deepEqual(told[0], { event: 'key_revoked', jwtBuilder: 'theBuilder', kid, wasPublished: true })
})

test('an unknown kid has no effect, and the log says that the key was not published', async () => {
  const fleet = await theFleet()
  await fleet.answer(revoke('unknown'))
  await fleet.answer(revoke(fleet.signingKid(), 'unknown'))
  await fleet.askAnew()
  const told = fleet.events.flatMap((event) => (event.event === 'key_revoked' ? [event.wasPublished] : []))
  assert.deepEqual(told, [false, false])
})

test('while the shared cache cannot be read, an instance uses the revocations that it knows', async () => {
  let isDown = false
  const fleet = await theFleet({
    wrapStore: (store) => {
      const unlessDown = <T>(result: T) => {
        if (isDown) throw new RecordStoreError('nobody listens')
        return result
      }
      return {
        read: async (names) => unlessDown(await store.read(names)),
        write: async (...change) => unlessDown(await store.write(...change)),
        due: async (...question) => unlessDown(await store.due(...question)),
      }
    },
  })
  const kid = fleet.signingKid()
  await fleet.answer(revoke(kid))
  for (const instance of fleet.instances) await assert.rejects(fleet.askAnew(instance), KeyStoreError)
  isDown = true
  for (const instance of fleet.instances) await assert.rejects(fleet.askAnew(instance), KeyStoreError)
})

test('a key that is revoked while another process publishes it does not stay published', async () => {
  let meanwhile: (() => Promise<void>) | undefined
  const record = publishedKeysRecordName('theBuilder')
  const fleet = createFleetThatSigns({
    ...{ changes: brought, more: keyStores },
    wrapStore: (store) => ({
      ...store,
      async write(name, ...change) {
        const before = meanwhile
        if (name.id === record.id && before) {
          meanwhile = undefined
          await before()
        }
        return await store.write(name, ...change)
      },
    }),
  })
  fleet.secrets.put(broughtName, keySet('one'))
  meanwhile = () => fleet.answer(revoke('one'))
  await fleet.publish('theBuilder')
  await fleet.time.advance(30_000)
  assert.deepEqual(await fleet.published(), [])
})
