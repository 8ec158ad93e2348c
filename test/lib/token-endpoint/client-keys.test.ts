import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '../../../lib/configuration/connection.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { SignerCache } from '../../../lib/signing/signer-cache.ts'
import { createClientKeySource } from '../../../lib/token-endpoint/client-authentication.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { theSigner } from '../../support/virtual/virtual-ports.ts'

const passwordName = 'tokenwell/test/the-password'
const basic: Connection = {
  ...plainConnection,
  clientAuthentication: { method: 'client_secret_basic', passwordSecret: passwordName },
}

function theKeys(before?: string) {
  const asked: string[] = []
  const previousSigner = { ...theSigner, keyId: 'previous' }
  const signers: SignerCache = {
    async current({ location }, algorithm) {
      asked.push(`key ${location} ${algorithm}`)
      return theSigner
    },
    async previous({ location }, algorithm) {
      asked.push(`previous key ${location} ${algorithm}`)
      return before === undefined ? undefined : previousSigner
    },
    revoke() {},
  }
  const secrets = {
    async get(name: string) {
      asked.push(name)
      return new Secret('now\n')
    },
    async getPrevious(name: string) {
      asked.push(`previous ${name}`)
      return before === undefined ? undefined : new Secret(before)
    },
  }
  return { asked, previousSigner, keys: createClientKeySource(signers, secrets) }
}

test('a client that signs has the current and the previous key of its algorithm, and no password is read', async () => {
  const { asked, previousSigner, keys } = theKeys('before')
  const way = plainConnection.clientAuthentication
  assert.deepEqual(await keys.current(plainConnection), { way, signer: theSigner })
  assert.deepEqual(await keys.previous(plainConnection), { way, signer: previousSigner })
  assert.deepEqual(asked, ['key tokenwell/test/the-key ES256', 'previous key tokenwell/test/the-key ES256'])
})

test("a client with a password has the current and the previous one, both without an editor's line break", async () => {
  const { asked, keys } = theKeys('before\r\n')
  const [now, before] = [await keys.current(basic), await keys.previous(basic)]
  assert.ok('password' in now && before && 'password' in before)
  assert.deepEqual([now.password.reveal(), before.password.reveal()], ['now', 'before'])
  assert.deepEqual(new Set(asked), new Set([passwordName, `previous ${passwordName}`]))
})

test('a missing previous key, or one that equals the current key, is undefined', async () => {
  assert.equal(await theKeys().keys.previous(plainConnection), undefined)
  assert.equal(await theKeys().keys.previous(basic), undefined)
  assert.equal(await theKeys('now').keys.previous(basic), undefined)
})

test('a client that authenticates by its certificate needs no signature and no password: no secret is read', async () => {
  const { asked, keys } = theKeys('before')
  const way = { method: 'tls_client_auth' } as const
  const connection: Connection = { ...plainConnection, clientAuthentication: way }
  assert.deepEqual(await keys.current(connection), { way })
  assert.equal(await keys.previous(connection), undefined)
  assert.deepEqual(asked, [])
})
