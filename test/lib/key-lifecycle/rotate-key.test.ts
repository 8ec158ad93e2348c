import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { rotationSteps } from '../../../lib/key-lifecycle/rotate-key.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { writeKeySet } from '../../../lib/signing/signing-secret.ts'
import {
  aheadSeconds,
  assertVerifies,
  createKeyRotation,
  givenUp,
  marginSeconds,
  refused,
  rotatedSecretName,
} from '../../support/virtual/key-rotation.ts'
import { putPublication } from '../../support/virtual/publications.ts'

const minute = 60
const theRecord = { group: 'keys', id: 'jwks#theBuilder' }

test('the first key is made, published and signs at once', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  const { signsFrom, signsUntil, keyId } = rotation.signer()
  assert.deepEqual([signsFrom, signsUntil], [rotation.now(), undefined])
  assert.deepEqual(await rotation.publishedKids(), [keyId])
  assert.deepEqual(rotation.secrets.labels(rotatedSecretName), { AWSCURRENT: 'first', AWSPENDING: 'first' })
  await assertVerifies(rotation)
})

test('the secret is a private JWK set with kid, use, alg and the times of each key in seconds', async (t) => {
  const rotation = await createKeyRotation(t, { builder: { signatureAlgorithm: 'RS256', jwkSigningKeySize: 3072 } })
  await rotation.rotate('first')
  const [key, ...others] = JSON.parse(rotation.secrets.current(rotatedSecretName)).keys
  assert.deepEqual(others, [])
  assert.deepEqual(Object.keys(key).sort(), 'alg d dp dq e kid kty n p q qi signsFrom use'.split(' '))
  assert.deepEqual([key.alg, key.use, key.signsFrom], ['RS256', 'sig', rotation.now() / 1000])
  assert.equal(Buffer.from(key.n, 'base64url').length * 8, 3072)
})

test('what a later version has added to the set of keys stays there after a rotation by this version', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  const written = JSON.parse(rotation.secrets.current(rotatedSecretName))
  const added = { policy: { attested: true }, minted: 1 }
  rotation.secrets.put(rotatedSecretName, JSON.stringify({ ...written, ...added }))
  await rotation.rotate('third')
  const { keys, replaces, ...others } = JSON.parse(rotation.secrets.current(rotatedSecretName))
  assert.deepEqual([keys.length, typeof replaces, others], [2, 'string', added])
})

test('a next key is published for publishAheadSeconds before it signs, and then the former key until its assertions have expired', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  const first = rotation.signer().keyId
  rotation.pass(30 * 86_400)
  const rotatedAt = rotation.now()
  await rotation.rotate('second')

  assert.equal(rotation.signer().keyId, first, 'it goes on')
  const [next = ''] = (await rotation.publishedKids()).filter((kid) => kid !== first)
  const signsFrom = rotatedAt + (aheadSeconds + marginSeconds) * 1000
  assert.deepEqual(
    rotation.keys().map((key) => [key.keyId, key.signsFrom, key.signsUntil]),
    [
      [next, signsFrom, undefined],
      [first, rotatedAt - 30 * 86_400_000, signsFrom],
    ],
  )
  rotation.pass(aheadSeconds + marginSeconds - 1)
  assert.equal(rotation.signer().keyId, first)
  rotation.pass(1)
  assert.equal(rotation.signer().keyId, next, 'from its second on')
  await assertVerifies(rotation)

  await rotation.publish()
  rotation.pass(12 * minute - 1)
  await rotation.publish()
  assert.deepEqual(
    await rotation.publishedKids(),
    [next, first],
    'a key stays published for two minutes of its assertions, five of clock differences and five of memory',
  )
  rotation.pass(1)
  assert.deepEqual(await rotation.publishedKids(), [next])
})

test('the longer an assertion lives, the longer the key that signed it is published', async (t) => {
  const rotation = await createKeyRotation(t, { builder: { expiresInSeconds: '1h', publishAheadSeconds: 600 } })
  await rotation.rotate('first')
  const first = rotation.signer().keyId
  await rotation.rotate('second')
  rotation.pass(600 + 60)
  await rotation.publish()
  rotation.pass(70 * minute - 1)
  assert.ok((await rotation.publishedKids()).includes(first))
  rotation.pass(1)
  assert.ok(!(await rotation.publishedKids()).includes(first))
})

test('a third rotation keeps the previous key as long as it may be needed', async (t) => {
  const rotation = await createKeyRotation(t, { builder: { publishAheadSeconds: 100 } })
  await rotation.rotate('first')
  const first = rotation.signer().keyId
  await rotation.rotate('second')
  rotation.pass(110)
  const second = rotation.signer().keyId
  await rotation.rotate('third')
  assert.deepEqual(
    rotation
      .keys()
      .map(({ keyId }) => keyId)
      .slice(1),
    [second, first],
  )
  rotation.pass(13 * minute)
  await rotation.rotate('fourth')
  const kids = rotation.keys().map(({ keyId }) => keyId)
  assert.equal(kids.length, 3)
  assert.ok(kids.includes(second) && !kids.includes(first))
})

test('without publishAheadSeconds a new key signs at once', async (t) => {
  const rotation = await createKeyRotation(t, { builder: { publishAheadSeconds: 0 } })
  await rotation.rotate('first')
  const first = rotation.signer().keyId
  rotation.pass(1)
  await rotation.step('createSecret', 'second')
  rotation.pass(60)
  for (const step of rotationSteps.slice(1)) await rotation.step(step, 'second')
  assert.notEqual(rotation.signer().keyId, first, 'however long its steps take')
})

test('a next key that no longer fits the algorithm is given up', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  const next = { privateKey: generateKey('RS256', 2048), keyId: 'next', certificates: [], signsFrom: rotation.now() }
  const secret = await rotation.secrets.open(rotatedSecretName)
  await secret.putPending('second', writeKeySet([next], 'RS256', 'first'))
  await assert.rejects(rotation.step('setSecret', 'second'), givenUp)
  await assert.rejects(rotation.step('finishSecret', 'second'), refused)
})

test('a key starts to sign at a whole second, never too early', async (t) => {
  const rotation = await createKeyRotation(t, { builder: { publishAheadSeconds: 10 } })
  await rotation.rotate('first')
  rotation.pass(0.4)
  await rotation.rotate('second')
  const [next] = rotation.keys()
  assert.equal(((next?.signsFrom ?? 0) - rotation.now()) / 1000, 12.6)
})

test('while a key is staged, a rotation is refused with a reason and nothing is left pending', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  await rotation.rotate('second')
  const [before, published] = [rotation.secrets.current(rotatedSecretName), await rotation.published()]
  rotation.pass(3600)
  await assert.rejects(rotation.rotate('third'), {
    ...refused,
    message: `The secret ${rotatedSecretName} was already rotated. Its next key ${rotation.keys()[0]?.keyId} is published and starts to sign in 1390 min. Rotate it again after that.`,
  })
  assert.deepEqual(rotation.secrets.labels(rotatedSecretName), { AWSCURRENT: 'second' })
  assert.equal(rotation.secrets.current(rotatedSecretName), before)
  assert.deepEqual(await rotation.published(), published)
})

test('a repeated step changes nothing, and after the rotation no step does', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  rotation.pass(86_400)
  rotation.secrets.begin(rotatedSecretName, 'second')
  const state = async () =>
    JSON.stringify([
      rotation.secrets.labels(rotatedSecretName),
      await rotation.secrets.get(rotatedSecretName).then((text) => text.reveal()),
      await rotation.published(),
    ])
  for (const step of rotationSteps) {
    await rotation.step(step, 'second')
    const once = await state()
    rotation.pass(1)
    await rotation.step(step, 'second')
    assert.equal(await state(), once, step)
  }
  rotation.secrets.begin(rotatedSecretName, 'third')
  const after = await state()
  for (const step of rotationSteps) await rotation.step(step, 'second')
  assert.equal(await state(), after, 'nor disturbs the next rotation')
})

test('setSecret after the end of a rotation publishes the current keys', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  const [record] = await rotation.store.read([theRecord])
  const lost = { version: 'other', removableFrom: rotation.now(), fields: { jwks: '{"keys":[]}' } }
  await rotation.store.write(theRecord, lost, record?.version)
  await rotation.step('setSecret', 'first')
  assert.deepEqual(await rotation.publishedKids(), [rotation.signer().keyId])
})

test('no step works before createSecret or for a version that was given up', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  rotation.secrets.begin(rotatedSecretName, 'second')
  for (const step of ['setSecret', 'finishSecret'] as const)
    await assert.rejects(rotation.step(step, 'second'), {
      ...refused,
      message: /has no pending version of this rotation\. Either createSecret did not run first/,
    })

  await rotation.step('createSecret', 'second')
  rotation.pass(86_400)
  await assert.rejects(rotation.step('setSecret', 'second'), givenUp)
  assert.deepEqual(rotation.secrets.labels(rotatedSecretName), { AWSCURRENT: 'first' })
  await assert.rejects(rotation.step('createSecret', 'second'), {
    ...refused,
    message: /was given up\. Start a new rotation\.$/,
  })
  for (const step of rotationSteps.slice(1)) await assert.rejects(rotation.step(step, 'second'), refused)
  await rotation.rotate('third')
})

test('publication may be late by the margin, and not by a second more', async (t) => {
  for (const [seconds, isInTime] of [
    [marginSeconds, true],
    [marginSeconds + 1, false],
  ] as const) {
    const rotation = await createKeyRotation(t)
    await rotation.rotate('first')
    await rotation.step('createSecret', 'second')
    rotation.pass(seconds)
    const setting = rotation.step('setSecret', 'second')
    if (isInTime) await setting
    else
      await assert.rejects(setting, {
        ...givenUp,
        message:
          /^The next key [\w-]{43} of the secret tokenwell\/local\/jwk\/theBuilder was published too late: the servers that verify its signatures could not know it before it signs\. The rotation was given up and the current keys stay in use\. Rotate the secret again\.$/,
      })
  }
})

test('a rotation that pauses after publication is finished late, and its key signs at once', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  const first = rotation.signer().keyId
  await rotation.step('createSecret', 'second')
  await rotation.step('setSecret', 'second')
  rotation.pass(aheadSeconds + marginSeconds + 5 * minute)
  await rotation.publish()
  assert.equal(rotation.signer().keyId, first)
  await rotation.step('testSecret', 'second')
  await rotation.step('finishSecret', 'second')
  assert.notEqual(rotation.signer().keyId, first)
  await assertVerifies(rotation)
  await rotation.publish()
  rotation.pass(12 * minute - 1)
  await rotation.publish()
  assert.ok((await rotation.publishedKids()).includes(first), 'it signed until a moment ago, whatever was planned')
  rotation.pass(1)
  assert.ok(!(await rotation.publishedKids()).includes(first))
})

test('a rotation that pauses until its key is no longer published is given up', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  await rotation.step('createSecret', 'second')
  await rotation.step('setSecret', 'second')
  rotation.pass(aheadSeconds + marginSeconds + 12 * minute)
  await assert.rejects(rotation.step('testSecret', 'second'), {
    ...refused,
    message: /is not published\. Run the step setSecret first\.$/,
  })
  await assert.rejects(rotation.step('finishSecret', 'second'), givenUp)
  assert.equal((await rotation.published()).length, 2)
  await rotation.publish()
  rotation.pass(12 * minute)
  assert.deepEqual(await rotation.publishedKids(), [rotation.signer().keyId], 'what was never needed goes')
})

test('after a change of the algorithm a new key signs at once, because no other key fits', async (t) => {
  const before = await createKeyRotation(t, { builder: { signatureAlgorithm: 'RS256' } })
  await before.rotate('first')
  const rotation = await createKeyRotation(t)
  rotation.secrets.put(rotatedSecretName, before.secrets.current(rotatedSecretName))
  await rotation.rotate('second')
  assert.equal(rotation.signer().privateKey.asymmetricKeyType, 'ec')
  await assertVerifies(rotation)
  const [, old] = JSON.parse(rotation.secrets.current(rotatedSecretName)).keys
  assert.deepEqual([old.kty, old.alg, old.signsUntil], ['RSA', undefined, rotation.now() / 1000])
})

test('every algorithm with two halves is rotated', async (t) => {
  for (const signatureAlgorithm of ['RS512', 'PS256', 'ES384', 'ES512', 'Ed25519', 'EdDSA']) {
    const rotation = await createKeyRotation(t, { builder: { signatureAlgorithm } })
    await rotation.rotate('first')
    const [published] = await rotation.published()
    assert.equal(published?.jwk['alg'], signatureAlgorithm)
  }
})

test('a jwtBuilder whose key Tokenwell does not make is refused with a reason, and nothing is left pending', async (t) => {
  const keyStore = { keyStore: { theKeys: { location: 'tokenwell/local/the-keys' } } }
  const cases: readonly (readonly [object, RegExp])[] = [
    [
      { builder: { signatureAlgorithm: 'HS256', jwkEnabled: undefined, sharedKey: 'tokenwell/local/shared' } },
      /shared key \(HS256\)/,
    ],
    [
      { builder: { jwkEnabled: false, keyStoreRef: 'theKeys' }, elements: keyStore },
      /Set jwkEnabled to let Tokenwell make and rotate the key\.$/,
    ],
    [
      { builder: { certificateThumbprint: 'x5t#S256' } },
      /x5t#S256, but a key that Tokenwell makes has no certificate\./,
    ],
    [{ builder: { x5c: true } }, /sets x5c, but a key that Tokenwell makes has no certificate\./],
    [{ elements: { jwtBuilder: {} } }, /^The element jwtBuilder\/theBuilder does not exist\./],
  ]
  for (const [options, message] of cases)
    for (const step of rotationSteps) {
      const rotation = await createKeyRotation(t, options)
      rotation.secrets.begin(rotatedSecretName, 'first')
      await assert.rejects(rotation.step(step, 'first'), { ...refused, message })
      assert.equal(rotation.secrets.labels(rotatedSecretName)['AWSPENDING'], undefined)
    }
})

test('a jwtBuilder with mistakes is not rotated, and the error lists them', async (t) => {
  const rotation = await createKeyRotation(t, { builder: { signatureAlgorithm: 'HS256' } })
  rotation.secrets.begin(rotatedSecretName, 'first')
  await assert.rejects(rotation.step('createSecret', 'first'), { name: 'ConfigurationError', message: /jwkEnabled/ })
  assert.equal(rotation.secrets.labels(rotatedSecretName)['AWSPENDING'], undefined)
})

test('while the shared records cannot be used, no key is published or made current', async (t) => {
  let isBroken = false
  const broken = () => Promise.reject(new RecordStoreError('it does not answer'))
  const rotation = await createKeyRotation(t, {
    wrapStore: (store) => ({
      ...store,
      read: (names) => (isBroken ? broken() : store.read(names)),
    }),
  })
  await rotation.rotate('first')
  const text = rotation.secrets.current(rotatedSecretName)
  for (const [index, step] of rotationSteps.entries()) {
    if (index > 0) {
      isBroken = true
      await assert.rejects(rotation.step(step, 'second'), { name: 'CacheUnavailableError' })
      assert.equal(rotation.secrets.current(rotatedSecretName), text)
      // For some time after a failure the store is not called.
      rotation.pass(6)
      isBroken = false
    }
    if (step !== 'finishSecret') await rotation.step(step, 'second')
  }
  await rotation.rotate('second')
  assert.equal(rotation.keys().length, 2)
})

test('a published key that does not match the private key is found before the key signs', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  await rotation.step('createSecret', 'second')
  await rotation.step('setSecret', 'second')
  const [record] = await rotation.store.read([theRecord])
  assert(record)
  const { keys } = JSON.parse(String(record.fields['jwks']))
  const { x, y } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  const others = [{ ...keys[0], x, y }, ...keys.slice(1)]
  const fields = { ...record.fields, jwks: JSON.stringify({ keys: others }) }
  await rotation.store.write(theRecord, { ...record, version: 'other', fields }, record.version)
  await assert.rejects(
    rotation.step('testSecret', 'second'),
    { ...refused, message: /is not published/ },
    'a published key with a forged signature does not count',
  )
  const ours = others.map((jwk) => ({ jwk, publishedAt: rotation.now() }))
  await putPublication(rotation.store, 'theBuilder', { kind: 'keys', keys: ours }, rotation.now())
  await assert.rejects(rotation.step('testSecret', 'second'), {
    ...givenUp,
    message: /^The next key .+ does not match its published public key\./,
  })
  assert.equal(rotation.secrets.labels(rotatedSecretName)['AWSPENDING'], undefined)
})

test('a trial of the configuration, with only testSecret and a version without text, succeeds', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  const before = rotation.signer().keyId
  rotation.secrets.begin(rotatedSecretName, 'trial')
  await rotation.step('testSecret', 'trial')
  assert.equal(rotation.signer().keyId, before)
  await assert.rejects(rotation.step('testSecret', 'another'), refused)
  await assert.rejects(rotation.step('finishSecret', 'trial'), refused)
  await assert.rejects(rotation.step('setSecret', 'trial'), refused)
})
