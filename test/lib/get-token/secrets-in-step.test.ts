import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnsecuredJWT } from 'jose'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError, type SecretErrorCode } from '../../../lib/secret/secret-store.ts'
import type { SignerCache } from '../../../lib/signing/signer-cache.ts'
import { plant } from '../../support/output/canary.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import {
  createFleetWithEventBus,
  type FleetWithEventBusOptions,
  fulfilled,
} from '../../support/virtual/fleet-with-event-bus.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import { type TokensInVirtualTime, virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import type { VirtualEndpoint } from '../../support/virtual/virtual-ports.ts'

const secretChanged: IncomingEvent = { type: 'SecretChanged', name: 'tokenwell/local/any' }
const [firstKey, secondKey, thirdKey] = ['the first signing key', 'the second signing key', 'the third signing key']

/** Processes that each keep their own copy of the signing key, and name the key in each assertion. */
function createSigners(
  size: number,
  endpoint: VirtualEndpoint = () => virtualToken(),
  options?: FleetWithEventBusOptions,
) {
  for (const key of [firstKey, secondKey, thirdKey]) plant(key)
  const fleet = createFleetWithEventBus(endpoint, { size: 1, ...options })
  const far: { key: string; failure?: SecretErrorCode | undefined; reads: number } = { key: firstKey, reads: 0 }
  const store = singleVersionSecrets(async (name) => {
    if (!name.startsWith('tokenwell/local/jwk/')) return new Secret(`what ${name} holds`)
    far.reads++
    if (far.failure) throw new SecretError(far.failure, 'it fails')
    return new Secret(far.key)
  })
  const join = () => {
    const secrets = createSecretCache(store, fleet.time.now)
    const signers: SignerCache = {
      async current({ location }) {
        const key = (await secrets.get(location)).reveal()
        return { sign: async (_header, claims) => new Secret(new UnsecuredJWT({ ...claims, key }).encode()) }
      },
      previous: async () => undefined,
      revoke() {},
    }
    return fleet.join({ secrets, signers })
  }
  const processes = Array.from({ length: size }, join)
  let wished = 0
  /** Gets a new token in each process, which makes each sign a new assertion. */
  const askAnew = (of: readonly TokensInVirtualTime[] = processes) =>
    fleet.time.until(Promise.all(of.map(({ get }) => get({ audience: `aud-${wished++}` }))))
  const keysUsed = () => processes.map(({ requests }) => requests.at(-1)?.claims['key'])
  return { fleet, far, processes, join, askAnew, keysUsed }
}

test('after a secret has changed the next assertion of every process is signed with the new key', async () => {
  const { fleet, far, processes, askAnew, keysUsed } = createSigners(4)
  await askAnew()
  await askAnew()
  assert.equal(far.reads, 4, 'each reads it once')
  far.key = secondKey
  await askAnew()
  assert.deepEqual(
    keysUsed(),
    processes.map(() => firstKey),
    'until the change is written',
  )
  fulfilled(await fleet.answer(secretChanged))
  await askAnew()
  assert.deepEqual(
    keysUsed(),
    processes.map(() => secondKey),
  )
  await askAnew()
  assert.equal(far.reads, 8, 'and reads it again once')
})

test('tokens that were issued before stay valid', async () => {
  const { fleet, far, processes } = createSigners(2)
  const ask = () => fleet.time.until(Promise.all(processes.map(({ get }) => get())))
  const before = await ask()
  far.key = secondKey
  fulfilled(await fleet.answer(secretChanged))
  const after = await ask()
  assert.deepEqual(
    after.map(({ token }) => token.id),
    before.map(({ token }) => token.id),
  )
  assert.equal(processes.flatMap(({ requests }) => requests).length, 1)
})

test('events that come twice, at the same time or for unused secrets do no harm', async () => {
  const { fleet, far, processes, askAnew, keysUsed } = createSigners(3, undefined, { size: 3 })
  await askAnew()
  far.key = secondKey
  fulfilled(await fleet.answer(secretChanged, 3))
  await askAnew()
  far.key = thirdKey
  fulfilled(await fleet.answer(secretChanged, 3))
  fulfilled(await fleet.answer(secretChanged))
  await askAnew()
  assert.deepEqual(
    keysUsed(),
    processes.map(() => thirdKey),
  )
})

test('a process that begins after the change reads the secret once', async () => {
  const { fleet, far, join, askAnew } = createSigners(0)
  fulfilled(await fleet.answer(secretChanged))
  const late = join()
  await askAnew([late])
  await askAnew([late])
  assert.equal(far.reads, 1)
})

test("after the change a refused client's cool-down no longer applies, and a request is made at once", async () => {
  const { fleet, far, processes, askAnew } = createSigners(2, ({ claims }) =>
    claims['key'] === firstKey ? virtualRefusal('invalid_client') : virtualToken(),
  )
  const [first = assert.fail(), second = assert.fail()] = processes
  await assert.rejects(askAnew([first]), { code: 'cooling_down' })
  // An early read of the secret is made at most once in 10 s.
  far.key = secondKey
  await fleet.time.advance(3_000)
  await assert.rejects(askAnew([first]), { code: 'cooling_down' })
  fulfilled(await fleet.answer(secretChanged))
  await askAnew()
  assert.equal(first.requests.length + second.requests.length, 1 + 2)
})

test('a cool-down for another reason goes on', async () => {
  const { fleet, processes } = createSigners(1, () => ({ status: 503, body: '' }))
  const ask = () => fleet.time.until(Promise.all(processes.map(({ get }) => get())))
  await assert.rejects(ask(), { code: 'cooling_down' })
  const before = processes[0]?.requests.length
  fulfilled(await fleet.answer(secretChanged))
  await assert.rejects(ask(), { code: 'cooling_down' })
  assert.equal(processes[0]?.requests.length, before)
})

test("while the secret can't be read again the known one stays in use, and is read again 10 s later", async () => {
  const { fleet, far, askAnew, keysUsed } = createSigners(1)
  await askAnew()
  Object.assign(far, { key: secondKey, failure: 'secret_unreachable' })
  fulfilled(await fleet.answer(secretChanged))
  await askAnew()
  assert.deepEqual(keysUsed(), [firstKey])
  far.failure = undefined
  await fleet.time.advance(10_000)
  await askAnew()
  assert.deepEqual(keysUsed(), [secondKey])
})

test("where the secrets version can't be read assertions are still signed, and the change is found later", async () => {
  const store = createFaultInjectingStore()
  const { fleet, far, askAnew, keysUsed } = createSigners(2, undefined, { store })
  store.before = { read: isDown, write: isDown }
  await askAnew()
  store.before = isFine
  await fleet.time.advance(6_000)
  far.key = secondKey
  fulfilled(await fleet.answer(secretChanged))
  await askAnew()
  assert.deepEqual(
    keysUsed(),
    [secondKey, secondKey],
    'a secret that was read without the version may be older than the change',
  )
})

test("while the secrets version can't be read no secret is read again for each assertion", async () => {
  const store = createFaultInjectingStore()
  const { far, askAnew } = createSigners(1, undefined, { store })
  await askAnew()
  store.before = { read: isDown, write: isDown }
  for (let count = 0; count < 5; count++) await askAnew()
  store.before = isFine
  assert.equal(far.reads, 1)
})

test('a process that was frozen while the secret changed signs with the new key when it wakes', async () => {
  const { fleet, far, askAnew, keysUsed } = createSigners(1)
  await askAnew()
  fleet.time.jump(200_000)
  far.key = secondKey
  fulfilled(await fleet.answer(secretChanged))
  fleet.time.jump(1_000)
  await askAnew()
  assert.deepEqual(keysUsed(), [secondKey])
})
