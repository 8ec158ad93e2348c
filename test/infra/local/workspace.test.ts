import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import {
  expectedIssuer,
  localConnections,
  ownElements,
  prepareDemoUser,
  relocate,
  trust,
  type Workspace,
} from '../../../infra/local/workspace.ts'
import { secretPath } from '../../../lib/adapters/file-secrets.ts'
import { theElementsFile, theFolder } from '../../support/element-store.ts'
import { theElements } from '../../support/elements.ts'

const surroundings = { stage: 'local', publicUrl: 'http://127.0.0.1:8787', isLambda: false }
const elsewhere = 'https://localhost:9555'

test('where the server had to move, our own elements follow it everywhere, in a copy', async (t) => {
  const folder = await theFolder(t, {})
  const workspace: Workspace = { elementsPath: ownElements, secretsFolder: join(folder, 'secrets'), surroundings }
  assert.equal(await relocate(workspace, expectedIssuer, folder), workspace)
  const moved = await relocate(workspace, elsewhere, folder)
  assert.equal(dirname(moved.elementsPath), folder)
  const before = await readFile(ownElements, 'utf8')
  const after = await readFile(moved.elementsPath, 'utf8')
  assert.ok(before.includes(expectedIssuer) && !after.includes(expectedIssuer))
  assert.equal(after.replaceAll(elsewhere, expectedIssuer), before)
  assert.equal((await localConnections(moved, elsewhere)).length, 8)
  const another = await relocate(workspace, 'https://localhost:9556', folder)
  assert.notEqual(another.elementsPath, moved.elementsPath, 'two runs at once do not share their copies')
})

test('connections of this server are those whose token endpoint stands there', async (t) => {
  const elementsPath = await theElementsFile(t, theElements('https://localhost:9443'))
  const workspace: Workspace = { elementsPath, secretsFolder: 'secrets', surroundings }
  assert.equal((await localConnections(workspace, 'https://localhost:9443')).length, 1)
  for (const other of ['https://localhost:9444', 'https://127.0.0.1:9443', 'http://localhost:9443'])
    assert.deepEqual(await localConnections(workspace, other), [])
})

test('the certificate that is trusted is that of the last start; the password of the user stays', async (t) => {
  const secretsFolder = join(await theFolder(t, {}), 'secrets')
  const workspace: Workspace = { elementsPath: ownElements, secretsFolder, surroundings }
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
