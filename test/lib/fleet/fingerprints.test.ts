import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createConnectionCache, isFingerprintOf } from '../../../lib/configuration/connection-cache.ts'
import { fingerprintOf } from '../../../lib/configuration/fingerprint.ts'
import { createFingerprints } from '../../../lib/fleet/fingerprints.ts'
import { createSealing, withoutSealing } from '../../../lib/fleet/sealing.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import {
  changeableElements,
  createTokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'

const plain = fingerprintOf(plainConnection)
const formsBy = (key: Uint8Array, earlierRecords: '0.1' | 'none' = 'none') =>
  createFingerprints({ sealing: withoutSealing(key), earlierRecords })

test('elements are named by a MAC: without the key a right guess looks like a wrong one, and equal connections look different', () => {
  const [one, other] = [randomBytes(32), randomBytes(32)]
  const [fingerprint] = formsBy(one).formsOf(plainConnection)
  assert.match(fingerprint, /^2:[A-Za-z0-9_-]{43}$/)
  assert.ok(!fingerprint.includes(plain))
  assert.equal(
    formsBy(one).formsOf({ ...plainConnection })[0],
    fingerprint,
    'the same in every process that has the key',
  )
  assert.notEqual(formsBy(other).formsOf(plainConnection)[0], fingerprint)
  assert.notEqual(formsBy(one).formsOf({ ...plainConnection, name: 'other' })[0], fingerprint)
  assert.notEqual(formsBy(one).formsOf({ ...plainConnection, clientId: 'other' })[0], fingerprint)
})

test('another client certificate at the token endpoint makes another fingerprint, and another trust store does not', () => {
  const { authorizationServer } = plainConnection
  const fingerprintBy = (tls: object) => {
    const connection = {
      ...plainConnection,
      authorizationServer: { ...authorizationServer, tls: { ...authorizationServer.tls, ...tls } },
    }
    return formsBy(new Uint8Array(32)).formsOf(connection)[0]
  }
  const certificates = [{}, { clientCertificate: 'tokenwell/test/one' }, { clientCertificate: 'tokenwell/test/other' }]
  assert.equal(new Set(certificates.map(fingerprintBy)).size, 3)
  assert.equal(fingerprintBy({ trustStore: 'tokenwell/test/one' }), fingerprintBy({}))
})

test('a client certificate that moves from one token to another makes another fingerprint, and the order of the tokens does not', () => {
  const tokenBy = (id: string, clientCertificate?: string) => {
    const { authorizationServer, ...token } = plainConnection
    const tls = { ...authorizationServer.tls, ...(clientCertificate !== undefined && { clientCertificate }) }
    const authentication = { kind: 'authToken', id } as const
    return { ...token, authentication, authorizationServer: { ...authorizationServer, tls } }
  }
  const further = (...token: Parameters<typeof tokenBy>) => ({ ...tokenBy(...token), isFurther: true as const })
  const forms = formsBy(new Uint8Array(32))
  const fingerprintBy = (main: string | undefined, ...others: readonly (string | undefined)[]) =>
    forms.formsOf({ ...tokenBy('main', main), others: others.map((each, at) => further(`token-${at}`, each)) })[0]
  const moves = [fingerprintBy('one', undefined), fingerprintBy(undefined, 'one'), fingerprintBy(undefined, undefined)]
  const swaps = [fingerprintBy('one', 'a', 'b'), fingerprintBy('one', 'b', 'a'), fingerprintBy('a', 'one', 'b')]
  assert.equal(new Set([...moves, ...swaps]).size, 6)
  const [a, b] = [further('a', 'one'), further('b', 'other')]
  const inOrder = [
    [a, b],
    [b, a],
  ].map((others) => forms.formsOf({ ...tokenBy('main'), others })[0])
  assert.equal(new Set(inOrder).size, 1)
})

test('the form of 0.1 is compared, and is written while a deployment of 0.1 is upgraded', () => {
  const key = randomBytes(32)
  const [now, ...others] = formsBy(key).formsOf(plainConnection)
  const [then, ...later] = formsBy(key, '0.1').formsOf(plainConnection)
  assert.deepEqual([others, then, later], [[plain], plain, [now]])
  for (const each of [plain, now]) {
    assert.ok(isFingerprintOf({ fingerprint: now, otherFingerprints: others }, each))
    assert.ok(isFingerprintOf({ fingerprint: then, otherFingerprints: later }, each))
  }
  assert.ok(!isFingerprintOf({ fingerprint: now, otherFingerprints: others }, ''))
})

test('a connection that was read before the keys has the right fingerprint once they are known', async () => {
  let isDown = true
  const encryptionKeys = [{ kid: 'k', k: randomBytes(32).toString('base64url') }]
  const keys = { namingKey: randomBytes(32).toString('base64url'), encryptionKeys }
  const store = singleVersionSecrets(async () => {
    if (isDown) throw new SecretError('secret_denied', 'no right to it')
    return new Secret(JSON.stringify(keys))
  })
  const sealing = createSealing(
    createSecretCache(store, () => 0),
    'tokenwell/test/cache',
  )
  const connections = createConnectionCache({
    elements: changeableElements(exampleElements(exampleIssuer)),
    deployment: localDeployment,
    fingerprints: createFingerprints({ sealing, earlierRecords: 'none' }),
    now: () => 0,
    pause: () => new Promise(() => {}),
    log() {},
  })
  await assert.rejects(sealing.digest(''))
  const early = await connections.get('conn')
  assert.equal(early.fingerprint, fingerprintOf(early.connection), 'the elements are read without the keys')
  isDown = false
  await sealing.digest('')
  const late = await connections.get('conn')
  assert.equal(late.connection, early.connection, 'it is not read again')
  assert.match(late.fingerprint, /^2:/)
  assert.ok(connections.has('conn', late.fingerprint))
  assert.ok(connections.has('conn', early.fingerprint))
})

test('no record holds the plain hash of elements, and a refusal names its elements by the same MAC', async () => {
  const elements = changeableElements(exampleElements(exampleIssuer, { endpoint: { warmIdle: '1h' } }))
  let isRefused = false
  const tokens = createTokensInVirtualTime(() => (isRefused ? virtualRefusal('invalid_scope') : virtualToken()), {
    elements,
  })
  const { time, store } = tokens
  await time.until(tokens.get())
  isRefused = true
  await assert.rejects(time.until(tokens.get({ audience: 'other' })))
  elements.change(exampleElements(exampleIssuer, { oAuth: { scope: 'new' }, endpoint: { warmIdle: '1h' } }))
  await time.until(tokens.answer({ type: 'ConnectionChanged', connection: 'conn' }).catch(() => {}))
  const names = [{ group: 'conn', id: 'connection' }, ...(await store.due(Infinity, 100))]
  const records = await store.read(names)
  const fingerprints = records.flatMap((record) =>
    Object.entries(record?.fields ?? {}).flatMap(([field, value]) => (/fingerprint/i.test(field) ? [value] : [])),
  )
  assert.ok(fingerprints.length > 0)
  for (const each of fingerprints) assert.match(String(each), /^2:/)
})
