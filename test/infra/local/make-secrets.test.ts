import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { localKeyService, makeKmsKeysFor } from '../../../infra/local/kms-keys.ts'
import { makeSecretsFor } from '../../../infra/local/make-secrets.ts'
import { describeClients } from '../../../infra/local/register-clients.ts'
import { fileSecrets, secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { keyIdOf } from '../../../lib/signing/signing-key.ts'
import { resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/** A connection whose secrets do not exist yet. */
function connectionOf(t: TestContext, changes: ElementChanges, more: RawElements = {}): Promise<ServedConnection> {
  return resolveConn(t, { ...exampleElements('https://as.example', changes), ...more })
}

const byKeyStore = { jwkEnabled: undefined, keyStoreRef: 'theKeys' }
const keyStore = {
  keyStore: {
    theKeys: { location: 'tokenwell/local/the-keys' },
    theTrust: { location: 'tokenwell/local/authorization-server-ca' },
  },
}
const basic: ElementChanges = { server: { basicAuthRef: 'theData' }, oAuth: { jwtAuthenticationTokenRef: undefined } }
const authData = { authData: { theData: { user: 'theClient', passwordSecret: 'tokenwell/local/the-password' } } }

const registered = () => true
const secretsIn = (secretsFolder: string) => ({ secretsFolder, deployment: { stage: 'local' } })

async function madeKeys(folder: string, name: string) {
  return JSON.parse(await readFile(secretPath(folder, 'local', name), 'utf8')).keys
}

test('a key has the size of its element and its own kid, and only its owner can read it', async (t) => {
  const folder = join(await temporaryFolder(t, {}), 'secrets')
  const connection = await connectionOf(t, { builder: { jwkSigningKeySize: 3072 } })
  assert.deepEqual(await makeSecretsFor(secretsIn(folder), [connection], registered), [
    'tokenwell/local/jwk/theBuilder',
  ])
  const [key] = await madeKeys(folder, 'tokenwell/local/jwk/theBuilder')
  assert.equal(createPrivateKey({ key, format: 'jwk' }).asymmetricKeyDetails?.modulusLength, 3072)
  assert.match(key.kid, /^[\w-]{43}$/)
  assert.equal(key.x5c, undefined)
  const path = secretPath(folder, 'local', 'tokenwell/local/jwk/theBuilder')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.equal((await stat(dirname(path))).mode & 0o777, 0o700)
})

test('a secret has a key for each alias, with a certificate if its thumbprint is needed', async (t) => {
  const folder = await temporaryFolder(t, {})
  const ofAlias = (keyAlias: string, certificateThumbprint: string) =>
    connectionOf(t, { builder: { ...byKeyStore, keyAlias, certificateThumbprint } }, keyStore)
  const connections = [await ofAlias('one', 'none'), await ofAlias('two', 'x5t#S256')]
  assert.deepEqual(await makeSecretsFor(secretsIn(folder), connections, registered), ['tokenwell/local/the-keys'])
  const [one, two] = await madeKeys(folder, 'tokenwell/local/the-keys')
  assert.deepEqual([one.kid, two.kid], ['one', 'two'])
  assert.equal(one.x5c, undefined)
  const certificate = new X509Certificate(Buffer.from(two.x5c[0], 'base64'))
  assert.ok(certificate.checkPrivateKey(createPrivateKey({ key: two, format: 'jwk' })))
  assert.equal(certificate.subject, 'CN=theClient')
})

test('existing secrets stay as they are', async (t) => {
  const folder = await temporaryFolder(t, {})
  const connection = await connectionOf(t, basic, authData)
  const path = secretPath(folder, 'local', 'tokenwell/local/the-password')
  assert.deepEqual(await makeSecretsFor(secretsIn(folder), [connection], registered), ['tokenwell/local/the-password'])
  const [made] = await readdir(folder)
  assert.equal(made, 'the-password')
  assert.match(await readFile(path, 'utf8'), /^[\w-]{64}$/)
  await writeFile(path, 'mine')
  assert.deepEqual(await makeSecretsFor(secretsIn(folder), [connection], registered), [])
  assert.equal(await readFile(path, 'utf8'), 'mine')
})

test('no client secret and no shared key is made for a server that does not register the client with it', async (t) => {
  const folder = await temporaryFolder(t, {})
  const shared = { jwkEnabled: undefined, signatureAlgorithm: 'HS256', sharedKey: 'tokenwell/local/the-shared-key' }
  const connections = [await connectionOf(t, basic, authData), await connectionOf(t, { builder: shared })]
  assert.deepEqual(await makeSecretsFor(secretsIn(folder), connections, () => false), [])
  assert.deepEqual(await readdir(folder), [])
  assert.deepEqual(await makeSecretsFor(secretsIn(folder), connections, registered), [
    'tokenwell/local/the-password',
    'tokenwell/local/the-shared-key',
  ])
})

test('two connections of one client are registered as one client with the rights of both and its public key', async (t) => {
  const folder = await temporaryFolder(t, {})
  const one = await connectionOf(t, { oAuth: { scope: 'a b' } })
  const other = await connectionOf(t, { oAuth: { scope: 'b c', grantType: 'password' } })
  await makeSecretsFor(secretsIn(folder), [one, other], registered)
  const clients = await describeClients([one, other], fileSecrets(folder, 'local'), localKeyService(folder))
  assert.equal(clients.length, 1)
  const [client] = clients
  assert.equal(client?.client_id, 'theClient')
  assert.equal(client.scope, 'a b c')
  assert.deepEqual(client.grant_types, ['client_credentials', 'password'])
  assert.equal(client.token_endpoint_auth_method, 'private_key_jwt')
  assert.equal(client.token_endpoint_auth_signing_alg, 'RS256')
  for (const key of client.jwks?.keys ?? []) {
    assert.deepEqual(Object.keys(key).sort(), ['e', 'kid', 'kty', 'n', 'use'])
    assert.equal(key.use, 'sig')
  }
})

test("a client with a password is registered with it, without an editor's line break or the members beside it", async (t) => {
  for (const text of ['mine\n', '{ "password": "mine", "hosts": ["as.example"] }']) {
    const folder = await temporaryFolder(t, { 'the-password': text })
    const connection = await connectionOf(t, basic, authData)
    const [client] = await describeClients([connection], fileSecrets(folder, 'local'), localKeyService(folder))
    assert.equal(client?.client_secret, 'mine')
    assert.equal(client.token_endpoint_auth_method, 'client_secret_basic')
  }
})

test('a client that authenticates with a certificate gets one with its key, and is registered with it', async (t) => {
  const folder = await temporaryFolder(t, {})
  const changes: ElementChanges = {
    server: { sslCertsRef: 'mutual' },
    oAuth: { jwtAuthenticationTokenRef: undefined, tlsAuthenticationClientId: 'theClient' },
  }
  const more = { ...keyStore, ssl: { mutual: { keyStoreRef: 'theKeys' } } }
  const connection = await connectionOf(t, changes, more)
  assert.deepEqual(await makeSecretsFor(secretsIn(folder), [connection], registered), ['tokenwell/local/the-keys'])
  const pem = await readFile(secretPath(folder, 'local', 'tokenwell/local/the-keys'), 'utf8')
  const certificate = new X509Certificate(pem.slice(pem.indexOf('-----BEGIN CERTIFICATE')))
  assert.ok(certificate.checkPrivateKey(createPrivateKey(pem)))

  const [client] = await describeClients([connection], fileSecrets(folder, 'local'), localKeyService(folder))
  assert.equal(client?.token_endpoint_auth_method, 'self_signed_tls_client_auth')
  assert.equal(client['tls_client_certificate_bound_access_tokens'], true)
  const [key] = client.jwks?.keys ?? []
  assert.deepEqual(key?.x5c, [certificate.raw.toString('base64')])
  assert.ok(key && !('d' in key))
})

test('a key that is in KMS elsewhere is a file of the local run, made once, and its public key is registered', async (t) => {
  const folder = join(await temporaryFolder(t, {}), 'secrets')
  const more = { keyStore: { ...keyStore.keyStore, inKms: { location: 'kms:alias/tokenwell/local/partner' } } }
  const builder = { jwkEnabled: undefined, keyStoreRef: 'inKms', signatureAlgorithm: 'ES256' }
  const connection = await connectionOf(t, { builder }, more)
  assert.deepEqual(await makeKmsKeysFor(folder, [connection]), ['kms:alias/tokenwell/local/partner'])
  assert.deepEqual(await makeKmsKeysFor(folder, [connection]), [])

  const keyService = localKeyService(folder)
  const [client] = await describeClients([connection], fileSecrets(folder, 'local'), keyService)
  const { publicKey } = await keyService.publicKey('alias/tokenwell/local/partner')
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
  assert.deepEqual(client?.jwks?.keys, [{ kty, kid: keyIdOf(publicKey), use: 'sig', alg: 'ES256', crv, x, y }])
})
