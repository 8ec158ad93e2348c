import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServerCertificate } from '../../../../infra/local/certificate-authority.ts'
import { createDispatcherCache } from '../../../../lib/adapters/http/dispatcher-cache.ts'
import type { Transport } from '../../../../lib/configuration/transport.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../../lib/secret/secret-store.ts'
import { KeyStoreError } from '../../../../lib/signing/signing-key.ts'
import { singleVersionSecrets } from '../../../support/virtual/secret-stores.ts'

const trustStore = 'tokenwell/test/trust'
const passwordSecret = 'tokenwell/test/proxy-password'
const theCa = (await createServerCertificate(['localhost'])).caCertificate
const anotherCa = (await createServerCertificate(['localhost'])).caCertificate

const theTransport: Transport = {
  tls: { minimumVersion: 'TLSv1.2', trustStore },
  proxy: { id: 'theProxy', host: 'proxy.example', port: 3128, credentials: { user: 'theUser', passwordSecret } },
  connectTimeoutMilliseconds: 2_000,
  receiveTimeoutMilliseconds: 2_000,
}

/** A cache that records what it opens, over secrets that are read again each time. */
function theOpened() {
  const texts = new Map([
    [trustStore, theCa],
    [passwordSecret, 'the password'],
  ])
  let reads = 0
  const store = singleVersionSecrets(async (name) => {
    reads++
    const text = texts.get(name)
    if (text === undefined) throw new SecretError('secret_missing', `There is no ${name}.`)
    return new Secret(text)
  })
  const secrets = createSecretCache(store, Date.now)
  const opened: { isClosed: boolean }[] = []
  const dispatchers = createDispatcherCache(secrets, {
    create() {
      const one = {
        isClosed: false,
        async close() {
          one.isClosed = true
        },
      }
      opened.push(one)
      return one
    },
  })
  return { texts, opened, secrets, open: dispatchers.get, reads: () => reads }
}

test('concurrent calls for one name open one dispatcher', async () => {
  const { open, opened } = theOpened()
  const [one, other] = await Promise.all([open('one', theTransport), open('one', theTransport)])
  assert.equal(one, other)
  assert.equal(await open('one', theTransport), one)
  assert.notEqual(await open('other', theTransport), one)
  assert.equal(opened.length, 2)
})

for (const [what, name, text] of [
  ['a trust store', trustStore, anotherCa],
  ["a proxy's password", passwordSecret, 'another password'],
] as const)
  test(`when ${what} has changed, a new dispatcher is opened and the old one is closed`, async () => {
    const { open, opened, secrets, texts } = theOpened()
    const one = await open('one', theTransport)
    secrets.readAllAgain()
    assert.equal(await open('one', theTransport), one, 'read again, and the same')
    texts.set(name, text)
    secrets.readAllAgain()
    const other = await open('one', theTransport)
    assert.notEqual(other, one)
    assert.equal(await open('one', theTransport), other)
    assert.deepEqual(
      opened.map(({ isClosed }) => isClosed),
      [true, false],
    )
  })

test('after a failed opening the next call tries again with the current secrets', async () => {
  const { open, opened, texts, reads } = theOpened()
  texts.set(trustStore, 'nothing of the kind')
  await assert.rejects(open('one', theTransport), KeyStoreError)
  assert.equal(reads(), 2)
  texts.set(trustStore, theCa)
  await open('one', theTransport)
  assert.equal(reads(), 4)
  assert.equal(opened.length, 1)
})

test('a missing secret is an error, and when it is back the old dispatcher is used again', async () => {
  const { open, opened, secrets, texts } = theOpened()
  const one = await open('one', theTransport)
  texts.delete(passwordSecret)
  secrets.readAllAgain()
  await assert.rejects(open('one', theTransport), SecretError)
  texts.set(passwordSecret, 'the password')
  assert.equal(await open('one', theTransport), one)
  assert.equal(opened.length, 1)
})
