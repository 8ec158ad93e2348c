import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { ConfigurationError } from '../../../lib/configuration/finding.ts'
import { connectionRecordName } from '../../../lib/fleet/record-store.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { localTokenElements } from '../../support/elements/local-token-elements.ts'
import { virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import { broughtName, createFleetThatSigns, generatedName, keySet } from '../key-lifecycle/fleet-that-signs.ts'

/* Tokens that Tokenwell has signed, once their key changes or is revoked. They live for an hour. */

const token = { builder: { jti: false, expiresInSeconds: '1h', signatureAlgorithm: 'ES256' } }
const ownKey = { ...token.builder, jwkEnabled: false, keyStoreRef: 'theKeys' }
const keyStore = { theKeys: { location: broughtName } }

async function theFleet(builder: Record<string, unknown>, content: string, more = {}) {
  const elements = localTokenElements({ builder })
  const fleet = createFleetThatSigns({ more: { ...elements, keyStore, ...more } })
  fleet.secrets.put(broughtName, content)
  const ask = async (instance = fleet.instances[0], connection = 'conn') => {
    const request = { caller: 'direct', connection, further: {} }
    const { token: got } = await fleet.time.until(
      (instance ?? assert.fail()).getToken(request, fleet.time.now() + 25_000),
    )
    return { id: got.id, kid: decodeJwt(got.accessToken.reveal())['kid'] }
  }
  /** The token of each instance, those that have one in memory and a new one. */
  const askAll = async () => await Promise.all([...fleet.instances, fleet.join()].map((each) => ask(each)))
  /** Memory asks the fleet every 30 s whether its token is still the current one. */
  const passMemory = async () => await fleet.time.advance(30_000)
  return { ...fleet, ask, askAll, passMemory }
}

const kidsOf = (tokens: readonly { readonly kid: unknown }[]) => [...new Set(tokens.map(({ kid }) => kid))]

test('30 s after a key is revoked, no instance hands out a token that the key has signed', async () => {
  const fleet = await theFleet(ownKey, keySet('old'))
  assert.deepEqual(kidsOf(await fleet.askAll()), ['old'])
  await fleet.answer({ type: 'RevokeKey', jwtBuilder: 'theBuilder', kid: 'old' })
  await fleet.passMemory()
  for (const instance of [...fleet.instances, fleet.join()]) await assert.rejects(fleet.ask(instance), KeyStoreError)
  fleet.secrets.put(broughtName, keySet('new'))
  await fleet.answer({ type: 'SecretChanged', name: broughtName })
  assert.deepEqual(kidsOf(await fleet.askAll()), ['new'])
})

test('a revocation ends tokens even right after an operator has cleared them', async () => {
  const fleet = await theFleet(ownKey, keySet('old'))
  await fleet.ask()
  await fleet.answer({ type: 'ClearTokenCache', connection: 'conn' })
  await fleet.askAll()
  await fleet.answer({ type: 'RevokeKey', jwtBuilder: 'theBuilder', kid: 'old' })
  await fleet.passMemory()
  await assert.rejects(fleet.ask(), KeyStoreError)
})

test('a revocation also ends the tokens of other jwtBuilders that sign with the same secret', async () => {
  const other = localTokenElements({ builder: ownKey })
  const fleet = await theFleet(ownKey, keySet('old'), {
    jwtBuilder: { ...other['jwtBuilder'], revoking: other['jwtBuilder']?.['theBuilder'] ?? {} },
  })
  await fleet.askAll()
  await fleet.answer({ type: 'RevokeKey', jwtBuilder: 'revoking', kid: 'old' })
  await fleet.passMemory()
  await assert.rejects(fleet.ask(), KeyStoreError)
})

test('a revocation that the elements do not explain still ends the tokens of its own jwtBuilder', async () => {
  const fleet = await theFleet(ownKey, keySet('old'))
  await fleet.askAll()
  fleet.change({}, { ...localTokenElements({ builder: ownKey }), keyStore: {} })
  const revoking = fleet.answer({ type: 'RevokeKey', jwtBuilder: 'theBuilder', kid: 'old' })
  await assert.rejects(revoking, ConfigurationError)
  await fleet.passMemory()
  for (const instance of fleet.instances) await assert.rejects(fleet.ask(instance))
})

for (const [what, mistake] of [
  ['has a reference that cannot be read', { endpoint: { authenticationConfigRef: 7 } }],
  ['has another mistake', { endpoint: { host: 'no URL' } }],
  ['has a reference to nothing', { endpoint: { authenticationConfigRef: 'deleted' } }],
  ['has a token with a mistake', { token: { tokenGeneratorRef: 7 } }],
] as const)
  test(`a revocation ends the tokens of a connection that ${what}: they are those of the elements before it`, async () => {
    const fleet = await theFleet(ownKey, keySet('old'))
    await fleet.askAll()
    fleet.change({}, { ...localTokenElements({ builder: ownKey, ...mistake }), keyStore })
    await fleet.answer({ type: 'RevokeKey', jwtBuilder: 'theBuilder', kid: 'old' })
    await fleet.passMemory()
    for (const instance of fleet.instances) await assert.rejects(fleet.ask(instance), KeyStoreError)
  })

for (const [what, builder, contents] of [
  ['a key store', ownKey, [keySet('old'), keySet('new')]],
  [
    'a shared key',
    { ...token.builder, jwkEnabled: false, signatureAlgorithm: 'HS256', sharedKey: broughtName },
    ['a shared key of more than 32 bytes', 'another shared key of over 32 bytes'],
  ],
] as const)
  test(`after the secret of ${what} has changed, all instances hand out one token by the new key`, async () => {
    const [before, after] = contents
    const fleet = await theFleet(builder, before)
    const [old] = await fleet.askAll()
    fleet.secrets.put(broughtName, after)
    await fleet.answer({ type: 'SecretChanged', name: broughtName })
    await fleet.passMemory()
    const tokens = await fleet.askAll()
    assert.equal(new Set(tokens.map(({ id }) => id)).size, 1)
    assert.notEqual(tokens[0]?.id, old?.id)
  })

test('two changes of a secret within half a minute both end the tokens', async () => {
  const fleet = await theFleet(ownKey, keySet('first'))
  await fleet.ask()
  for (const kid of ['second', 'third']) {
    fleet.secrets.put(broughtName, keySet(kid))
    await fleet.answer({ type: 'SecretChanged', name: broughtName })
    await fleet.ask(fleet.join())
  }
  await fleet.passMemory()
  assert.deepEqual(kidsOf(await fleet.askAll()), ['third'])
})

test('a token server that is slow delays no end: all connections are cleared before any token is requested', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `conn-${index}`)
  const connection = { authenticationConfigRef: ['theConfig', 'theLocalToken'] }
  const clearedAtRequest: number[] = []
  const fleet = createFleetThatSigns({
    more: {
      ...localTokenElements({ builder: ownKey, token: { header: 'X-Token' } }),
      keyStore: { ...keyStore, theTrust: { location: 'tokenwell/local/the-trust' } },
      endpointConnection: Object.fromEntries(names.map((name) => [name, connection])),
    },
    async endpoint() {
      const records = await fleet.store.read(names.map(connectionRecordName))
      clearedAtRequest.push(records.filter((record) => record?.fields['clearedAt'] !== undefined).length)
      return virtualToken()
    },
  })
  fleet.secrets.put(broughtName, keySet('old'))
  for (const name of names) await fleet.askAnew(fleet.instances[0], name)
  fleet.secrets.put(broughtName, keySet('new'))
  await fleet.answer({ type: 'SecretChanged', name: broughtName })
  assert.deepEqual(clearedAtRequest, names.map(() => 0).concat(names.map(() => names.length)))
})

test('a rotation of a generated key ends no token: the key that signed it stays published', async () => {
  const fleet = await theFleet(token.builder, keySet('unused'))
  await fleet.rotate('first')
  const { id, kid } = await fleet.ask()
  await fleet.rotate('second')
  await fleet.answer({ type: 'SecretChanged', name: generatedName })
  await fleet.passMemory()
  assert.equal((await fleet.ask(fleet.join())).id, id)
  assert.ok((await fleet.published()).includes(String(kid)))
})

test('a key stays published until the last token that it has signed has expired', async () => {
  const fleet = await theFleet({ ...token.builder, jwkRotationTime: '4h', publishAheadSeconds: 3600 }, keySet('unused'))
  await fleet.rotate('first')
  await fleet.ask()
  const kid = fleet.signingKid()
  await fleet.rotate('second')
  await fleet.answer({ type: 'SecretChanged', name: generatedName })
  // The last token of the former key, just before the next one signs.
  while (fleet.signingKid() === kid) await fleet.time.advance(60_000)
  for (let minutes = 0; minutes < 60; minutes += 10) {
    await fleet.publish('theBuilder')
    assert.ok((await fleet.published()).includes(kid), `after ${minutes} min`)
    await fleet.time.advance(600_000)
  }
  await fleet.time.advance(1_200_000)
  await fleet.publish('theBuilder')
  await fleet.passMemory()
  assert.deepEqual(await fleet.published(), [fleet.signingKid()])
})
