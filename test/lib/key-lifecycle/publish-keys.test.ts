import assert from 'node:assert/strict'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createKeyCertificate } from '../../../infra/local/certificate-authority.ts'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createBackgroundApplication } from '../../../lib/application/application.ts'
import type { ElementStore } from '../../../lib/configuration/element-store.ts'
import { ElementStoreError } from '../../../lib/configuration/element-store.ts'
import { keysOf } from '../../../lib/key-lifecycle/published-keys.ts'
import { describeLogEvent, type LogEvent, meter } from '../../../lib/log/log-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { keyIdOf } from '../../../lib/signing/signing-key.ts'
import { elementStoreOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { withDefaultPorts } from '../../support/virtual/default-ports.ts'
import { publicationIn } from '../../support/virtual/publications.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import { thePassword, theSigners, unchangingConnections } from '../../support/virtual/virtual-ports.ts'

const location = 'tokenwell/local/the-keys'
const minute = 60_000
const drainMilliseconds = 12 * minute

const rsa = generateKey('RS256', 2048)
const otherRsa = generateKey('RS256', 2048)
const ec = generateKey('ES256', 0)
const pem = (key = rsa) => key.export({ type: 'pkcs8', format: 'pem' }).toString()
const jwk = (kid: string, key = rsa, more: object = {}) => ({ ...key.export({ format: 'jwk' }), kid, ...more })
const set = (...keys: readonly object[]) => JSON.stringify({ keys })

interface Options {
  readonly builders?: RawElements[string]
  readonly wrapElements?: (store: ElementStore) => ElementStore
}

/** The jwtBuilder `theBuilder`, whose operator brings the keys. */
async function thePublication(t: TestContext, options: Options = {}) {
  const { builders = { theBuilder: { keyStoreRef: 'theKeys' } }, wrapElements = (store) => store } = options
  let time = Date.now()
  let ids = 0
  let elements: RawElements = {
    ...exampleElements(exampleIssuer),
    jwtBuilder: builders,
    keyStore: { theKeys: { location } },
  }
  const secrets = new Map<string, string | SecretError>()
  const log: LogEvent[] = []
  const now = () => time
  const application = async () => {
    const store = wrapElements(await elementStoreOf(t, elements))
    const secretStore = singleVersionSecrets(async (name) => {
      const text = secrets.get(name) ?? new SecretError('secret_missing', `The secret ${name} does not exist.`)
      if (text instanceof SecretError) throw text
      return new Secret(text)
    })
    return createBackgroundApplication(
      withDefaultPorts({
        ...{ elements: store, secretStore, store: records, now },
        ...{ connections: unchangingConnections(plainConnection), secrets: thePassword, signers: theSigners },
        tokenEndpoint: { post: () => assert.fail('no token is asked for here') },
        random: () => 0,
        randomId: () => `version-${ids++}`,
        pause: () => new Promise<void>(() => {}),
        log: (event: LogEvent) => void log.push(event),
      }),
    )
  }
  const records = memoryRecords({ maximumRecords: 100 })
  const shown = async (jwtBuilder: string) => keysOf(await publicationIn(records, jwtBuilder, time), time)
  return {
    ...{ secrets, log, records },
    pass(milliseconds: number) {
      time += milliseconds
    },
    change(kinds: RawElements) {
      elements = { ...elements, ...kinds }
    },
    publish: async (...names: readonly string[]) =>
      (await application()).publishKeys(names.length > 0 ? names : ['theBuilder'], time + 1000),
    keys: async (jwtBuilder = 'theBuilder') => (await shown(jwtBuilder)).map((key) => key.jwk),
    kids: async (jwtBuilder = 'theBuilder') => (await shown(jwtBuilder)).map((key) => key.jwk.kid),
    version: async () => (await records.read([{ group: 'keys', id: 'jwks#theBuilder' }]))[0]?.version,
  }
}

test('the public half of a PEM key is published with the kid of its assertions, alg and use', async (t) => {
  const publication = await thePublication(t)
  publication.secrets.set(location, pem())
  await publication.publish()
  const { kty, n, e } = createPublicKey(rsa).export({ format: 'jwk' })
  assert.deepEqual(await publication.keys(), [{ kty, kid: keyIdOf(rsa), use: 'sig', alg: 'RS256', n, e }])
  assert.deepEqual(publication.log, [
    { event: 'keys_published', jwtBuilder: 'theBuilder', keys: 1, signatureAgeSeconds: 0 },
  ])
})

test('from a key store with several keys, those that fit the algorithm or the alias are published', async (t) => {
  const publication = await thePublication(t, {
    builders: {
      theBuilder: { keyStoreRef: 'theKeys' },
      named: { keyStoreRef: 'theKeys', keyAlias: 'two' },
      curved: { keyStoreRef: 'theKeys', signatureAlgorithm: 'ES256' },
    },
  })
  publication.secrets.set(location, set(jwk('one'), jwk('curved', ec), jwk('two', otherRsa)))
  await publication.publish('theBuilder', 'named', 'curved')
  assert.deepEqual(await publication.kids(), ['one', 'two'])
  assert.deepEqual(await publication.kids('named'), ['two'])
  assert.deepEqual(await publication.kids('curved'), ['curved'])
})

test("an operator's new key is published at once, and the former one until its last assertion has expired", async (t) => {
  const publication = await thePublication(t)
  publication.secrets.set(location, set(jwk('old')))
  await publication.publish()
  publication.pass(24 * 3_600_000)
  publication.secrets.set(location, set(jwk('new', otherRsa)))
  await publication.publish()
  assert.deepEqual(await publication.kids(), ['new', 'old'])
  publication.pass(drainMilliseconds - 1)
  await publication.publish()
  assert.deepEqual(await publication.kids(), ['new', 'old'])
  publication.pass(1)
  assert.deepEqual(await publication.kids(), ['new'], 'though nobody has looked since')
  await publication.publish()
  publication.secrets.set(location, set(jwk('old')))
  await publication.publish()
  assert.deepEqual(await publication.kids(), ['old', 'new'], 'and back again')
})

test('keys with times are published by their times, also keys of the operator', async (t) => {
  const publication = await thePublication(t)
  const at = (offset: number) => Math.floor(Date.now() / 1000) + offset
  publication.secrets.set(
    location,
    set(
      jwk('next', rsa, { signsFrom: at(3600) }),
      jwk('current', otherRsa, { signsFrom: at(-3600), signsUntil: at(3600) }),
      jwk('previous', generateKey('RS256', 2048), { signsFrom: at(-7200), signsUntil: at(-660) }),
      jwk('older', generateKey('RS256', 2048), { signsFrom: at(-9000), signsUntil: at(-7200) }),
    ),
  )
  await publication.publish()
  assert.deepEqual(await publication.kids(), ['next', 'current', 'previous'])
  publication.pass(2 * minute)
  assert.deepEqual(await publication.kids(), ['next', 'current'])
})

test('an expired certificate is left out, but its key is published', async (t) => {
  const publication = await thePublication(t)
  const certificate = await createKeyCertificate(rsa, 'theClient')
  publication.secrets.set(location, pem() + certificate)
  await publication.publish()
  const published = async () => (await publication.keys()).map(({ kid, x5c }) => [kid, x5c])
  const { raw, validToDate } = new X509Certificate(certificate)
  assert.deepEqual(await published(), [[keyIdOf(rsa), [raw.toString('base64')]]])
  publication.pass(+validToDate - Date.now() + minute)
  await publication.publish()
  assert.deepEqual(await published(), [[keyIdOf(rsa), undefined]])
})

test('an unchanged set of keys is not written again', async (t) => {
  const publication = await thePublication(t)
  publication.secrets.set(location, pem())
  await publication.publish()
  const version = await publication.version()
  publication.pass(30 * minute - 1)
  await publication.publish()
  assert.equal(await publication.version(), version)
  assert.deepEqual(publication.log.at(-1), {
    ...{ event: 'keys_published', jwtBuilder: 'theBuilder', keys: 1 },
    signatureAgeSeconds: 30 * 60 - 1,
  })
})

test('the hourly reconciliation signs an unchanged set anew, so it stays valid', async (t) => {
  const publication = await thePublication(t)
  publication.secrets.set(location, pem())
  await publication.publish()
  for (let hours = 0; hours < 50; hours++) {
    publication.pass(60 * minute)
    assert.equal((await publication.kids()).length, 1)
    await publication.publish()
  }
  publication.pass(25 * 60 * minute + 1)
  assert.deepEqual(await publication.kids(), [], 'an older one could be one that was put back')
})

test('while a secret cannot be read, the log has the age of the last signature, long before the keys are no longer served', async (t) => {
  const publication = await thePublication(t)
  publication.secrets.set(location, pem())
  await publication.publish()
  publication.secrets.delete(location)
  publication.pass(180 * minute)
  await publication.publish()
  const told = publication.log.at(-1)
  assert(told?.event === 'publication_failed')
  assert.equal(told.signatureAgeSeconds, 3 * 3_600)
  assert.deepEqual(meter(told)?.values, { PublicationAge: 3 * 3_600 })
  assert.equal((await publication.kids()).length, 1)
  assert.match(describeLogEvent(told), /cannot be published again, so the earlier publication stays: The secret /)
})

test('without an earlier publication, the log does not say that one stays', async (t) => {
  const publication = await thePublication(t)
  publication.secrets.delete(location)
  await publication.publish()
  const told = publication.log.at(-1)
  assert(told?.event === 'publication_failed')
  assert.match(describeLogEvent(told), /^The keys of jwtBuilder\/theBuilder cannot be published: The secret /)
})

test('for a shared key, the algorithm is recorded and the secret is not read', async (t) => {
  const publication = await thePublication(t, {
    builders: { theBuilder: { signatureAlgorithm: 'HS256', sharedKey: 'tokenwell/local/shared' } },
  })
  await publication.publish()
  const [record] = await publication.records.read([{ group: 'keys', id: 'jwks#theBuilder' }])
  assert.equal(record?.fields['sharedKey'], 'HS256')
  assert.deepEqual(Object.keys(record?.fields ?? {}).sort(), ['sharedKey', 'signature', 'signedAt'])
})

test('a jwtBuilder that changes from a shared key publishes its keys again', async (t) => {
  const publication = await thePublication(t, {
    builders: { theBuilder: { signatureAlgorithm: 'HS256', sharedKey: 'tokenwell/local/shared' } },
  })
  await publication.publish()
  publication.change({ jwtBuilder: { theBuilder: { keyStoreRef: 'theKeys' } } })
  publication.secrets.set(location, pem())
  await publication.publish()
  assert.equal((await publication.kids()).length, 1)
})

test('the keys of a deleted jwtBuilder stay until their assertions have expired', async (t) => {
  const publication = await thePublication(t)
  publication.secrets.set(location, pem())
  await publication.publish()
  publication.change({ jwtBuilder: {} })
  await publication.publish()
  publication.pass(drainMilliseconds)
  await publication.publish()
  assert.equal((await publication.kids()).length, 1)
  publication.pass(60 * minute)
  assert.deepEqual(await publication.kids(), [])
  await publication.publish('neverWas')
  assert.deepEqual((await publication.records.read([{ group: 'keys', id: 'jwks#neverWas' }]))[0], undefined)
})

test('a jwtBuilder without a key publishes nothing', async (t) => {
  const publication = await thePublication(t, { builders: { theBuilder: { jwkEnabled: true } } })
  publication.secrets.set('tokenwell/local/jwk/theBuilder', '{ "keys": [] }')
  await publication.publish()
  assert.equal(await publication.version(), undefined)
})

test('the log has the age of a rotated key, and whether the next rotation is overdue', async (t) => {
  const publication = await thePublication(t, {
    builders: { theBuilder: { jwkEnabled: true, jwkRotationTime: '48h' } },
  })
  const signsFrom = Math.floor(Date.now() / 1000) - 3600
  publication.secrets.set('tokenwell/local/jwk/theBuilder', set(jwk('a', rsa, { signsFrom })))
  await publication.publish()
  publication.pass(24 * 60 * minute)
  await publication.publish()
  publication.pass(3 * 24 * 60 * minute)
  await publication.publish()
  const told = publication.log
    .filter(({ event }) => event !== 'publication_refused')
    .map((event) => (event.event === 'keys_published' ? event : assert.fail(event.event)))
  assert.ok(Math.abs((told[0]?.keyAgeSeconds ?? 0) - 3600) <= 2)
  // Overdue only after the time that the next key is published before it signs, and a day for retries.
  assert.deepEqual(
    told.map(({ isKeyOverdue }) => isKeyOverdue),
    [false, false, true],
  )
})

test('an error that the operator must fix is logged without a secret, the published keys stay, and other jwtBuilders are published', async (t) => {
  const publication = await thePublication(t, {
    builders: {
      theBuilder: { keyStoreRef: 'theKeys' },
      wrong: { keyStoreRef: 'nowhere' },
      right: { keyStoreRef: 'theKeys' },
    },
  })
  publication.secrets.set(location, pem())
  await publication.publish('theBuilder')
  publication.secrets.set(location, 'hunter2')
  await publication.publish('theBuilder', 'wrong')
  publication.secrets.delete(location)
  await publication.publish('theBuilder')
  assert.equal((await publication.kids()).length, 1)
  assert.deepEqual(
    publication.log
      .slice(1)
      .map((event) => (event.event === 'publication_failed' ? [event.jwtBuilder, event.code] : event))
      .toSorted(),
    [
      ['theBuilder', 'key_store'],
      ['theBuilder', 'secret_missing'],
      ['wrong', 'configuration'],
    ],
  )
  assert.doesNotMatch(JSON.stringify(publication.log), /hunter2/)
  publication.secrets.set(location, pem())
  await publication.publish('wrong', 'right')
  assert.equal((await publication.kids('right')).length, 1)
})

test('many jwtBuilders are published together, with one read for all builders and one for all their key stores', async (t) => {
  const names = Array.from({ length: 60 }, (_, index) => `builder${index}`)
  const reads: number[] = []
  const publication = await thePublication(t, {
    builders: Object.fromEntries(names.map((name) => [name, { keyStoreRef: 'theKeys' }])),
    wrapElements: (store) => ({
      ...store,
      get: async (references) => {
        reads.push(references.length)
        return await store.get(references)
      },
    }),
  })
  publication.secrets.set(location, pem())
  await publication.publish(...names)
  assert.deepEqual(reads, [25, 25, 25, 25, 10, 10])
  for (const name of names) assert.equal((await publication.kids(name)).length, 1)
})

test('an error that passes by itself is thrown after the other jwtBuilders are published', async (t) => {
  const publication = await thePublication(t, {
    builders: { first: { jwkEnabled: true }, second: { keyStoreRef: 'theKeys' } },
  })
  const passing = new SecretError('secret_unreachable', 'no answer')
  publication.secrets.set('tokenwell/local/jwk/first', passing)
  publication.secrets.set(location, pem())
  await assert.rejects(publication.publish('first', 'second'), passing)
  assert.equal((await publication.kids('second')).length, 1)
  assert.deepEqual(
    publication.log.map(({ event }) => event),
    ['keys_published'],
  )
})

test('elements that cannot be read are an error, and no published key is withdrawn', async (t) => {
  let isBroken = false
  const unreachable = new ElementStoreError('elements_unreachable', 'no answer')
  const publication = await thePublication(t, {
    wrapElements: (store) => ({ ...store, get: (all) => (isBroken ? Promise.reject(unreachable) : store.get(all)) }),
  })
  publication.secrets.set(location, pem())
  await publication.publish()
  isBroken = true
  await assert.rejects(publication.publish(), unreachable)
  assert.equal((await publication.kids()).length, 1)
})
