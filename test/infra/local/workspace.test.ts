import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import {
  expectedApi,
  expectedIssuer,
  localConnections,
  ownElements,
  prepareDemoUser,
  prepareSigningKey,
  relocate,
  trust,
  type Workspace,
} from '../../../infra/local/workspace.ts'
import { secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import { elementsFileOf } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

const deployment = { stage: 'local', publicUrl: 'http://127.0.0.1:8787', isLambda: false }
const elsewhere = 'https://localhost:9555'

const theApi = { host: 'https://localhost', port: 9444 }

test("if the servers move to other ports, a copy of the repository's elements names the new ports", async (t) => {
  const folder = await temporaryFolder(t, {})
  const workspace: Workspace = { elementsPath: ownElements, secretsFolder: join(folder, 'secrets'), deployment }
  assert.equal(await relocate(workspace, { issuer: expectedIssuer, api: expectedApi }, folder), workspace)
  const moved = await relocate(workspace, { issuer: elsewhere, api: 'https://localhost:9557' }, folder)
  assert.equal(dirname(moved.elementsPath), folder)
  const before = await readFile(ownElements, 'utf8')
  const after = await readFile(moved.elementsPath, 'utf8')
  assert.ok(before.includes(expectedIssuer) && before.includes('9444') && !/944[34]/.test(after))
  assert.deepEqual(
    JSON.parse(after.replaceAll(elsewhere, expectedIssuer).replaceAll('9557', '9444')),
    JSON.parse(before),
  )
  const local = await localConnections(moved, elsewhere)
  assert.equal(local.length, 10)
  assert.equal(local.find(({ name }) => name === 'orders')?.connection?.api?.origin, 'https://localhost:9557')
})

test('each server may move alone, and two concurrent runs have separate copies', async (t) => {
  const base = exampleElements(expectedIssuer)
  const elementsPath = await elementsFileOf(t, {
    ...base,
    endpointConnection: {
      theirs: { ...theApi, port: '9444', authenticationConfigRef: 'theConfig' },
      another: { ...theApi, host: 'https://localhost.example', authenticationConfigRef: 'theConfig' },
      none: { authenticationConfigRef: 'theConfig' },
    },
  })
  const folder = dirname(elementsPath)
  const workspace: Workspace = { elementsPath, secretsFolder: 'secrets', deployment }
  const origins = async (issuer: string, api: string) => {
    const moved = await relocate(workspace, { issuer, api }, folder)
    const listed = await localConnections(moved, issuer)
    const found = Object.fromEntries(listed.map(({ name, connection }) => [name, connection?.api?.origin]))
    return { path: moved.elementsPath, ...found }
  }
  const paths = [
    { issuer: elsewhere, api: expectedApi },
    { issuer: expectedIssuer, api: elsewhere },
    // The next free port of one server was the expected port of the other.
    { issuer: expectedApi, api: elsewhere },
  ].map(async ({ issuer, api }) => {
    const { path, ...found } = await origins(issuer, api)
    assert.deepEqual(found, { theirs: api, another: 'https://localhost.example:9444', none: undefined })
    return path
  })
  assert.equal(new Set(await Promise.all(paths)).size, 3)
})

test('the connections of the local server are those with its token endpoint', async (t) => {
  const elementsPath = await elementsFileOf(t, exampleElements('https://localhost:9443'))
  const workspace: Workspace = { elementsPath, secretsFolder: 'secrets', deployment }
  assert.equal((await localConnections(workspace, 'https://localhost:9443')).length, 1)
  for (const other of ['https://localhost:9444', 'https://127.0.0.1:9443', 'http://localhost:9443'])
    assert.deepEqual(await localConnections(workspace, other), [])
})

test('the trusted certificate is the one of the last start, and the password of the user stays', async (t) => {
  const secretsFolder = join(await temporaryFolder(t, {}), 'secrets')
  const workspace: Workspace = { elementsPath: ownElements, secretsFolder, deployment }
  const path = secretPath(secretsFolder, 'local', 'tokenwell/local/authorization-server-ca')
  for (let start = 0; start < 2; start++) {
    const certificate = await createServerCertificate(['localhost'])
    await trust(workspace, certificate)
    assert.equal(await readFile(path, 'utf8'), certificate.caCertificate)
  }
  assert.equal((await stat(dirname(path))).mode & 0o777, 0o700)
  const user = await prepareDemoUser(workspace)
  assert.match(user.get('alice') ?? '', /^[\w-]{64}$/)
  assert.deepEqual(await prepareDemoUser(workspace), user)
})

test('the authorization server uses the same key in each run, and only its owner can read it', async (t) => {
  const folder = join(await temporaryFolder(t, {}), 'made')
  const first = await prepareSigningKey(folder)
  assert.ok((await prepareSigningKey(folder)).equals(first))
  assert.equal(first.asymmetricKeyType, 'rsa')
  for (const name of await readdir(folder)) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600)
})
