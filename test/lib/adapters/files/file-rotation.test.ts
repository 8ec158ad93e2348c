import assert from 'node:assert/strict'
import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileRotation, fileSecrets } from '../../../../lib/adapters/files/file-secrets.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { testRotatingSecret } from '../../../contract/rotating-secret.ts'
import { temporaryFolder } from '../../../support/process/temporary-folder.ts'

const name = 'tokenwell/local/jwk/theBuilder'

testRotatingSecret(async (t, text) => {
  const folder = await temporaryFolder(t, text === undefined ? {} : { 'jwk/theBuilder': text })
  return {
    secret: await fileRotation(folder, 'local').open(name),
    reopen: () => fileRotation(folder, 'local').open(name),
    current: async () => (await fileSecrets(folder, 'local').get(name)).reveal(),
  }
})

test('after a rotation only the secret is left, and only its owner can read it', async (t) => {
  const folder = join(await temporaryFolder(t, {}), 'secrets')
  const secret = await fileRotation(folder, 'local').open(name)
  await secret.putPending('first', new Secret('first'))
  assert.equal((await stat(join(folder, 'jwk', 'theBuilder.pending-first'))).mode & 0o777, 0o600)
  await secret.makeCurrent('first', undefined)
  await secret.putPending('second', new Secret('second'))
  await secret.putPending('third', new Secret('third'))
  await secret.makeCurrent('third', 'first')
  assert.deepEqual(await readdir(join(folder, 'jwk')), ['theBuilder'])
  assert.equal((await stat(join(folder, 'jwk', 'theBuilder'))).mode & 0o777, 0o600)
  assert.equal((await stat(join(folder, 'jwk'))).mode & 0o777, 0o700)
})

test('a version never changes: another text is rejected', async (t) => {
  const folder = await temporaryFolder(t, { 'jwk/theBuilder': 'first' })
  const secret = await fileRotation(folder, 'local').open(name)
  await secret.putPending('second', new Secret('second'))
  assert.equal(await secret.putPending('second', new Secret('another')), false)
  assert.equal((await secret.read('second'))?.reveal(), 'second')
})

test('a file that was changed by hand is another version', async (t) => {
  const folder = await temporaryFolder(t, { 'jwk/theBuilder': 'first' })
  const secret = await fileRotation(folder, 'local').open(name)
  const { current } = await secret.labels()
  await secret.putPending('second', new Secret('second'))
  await writeFile(join(folder, 'jwk', 'theBuilder'), 'by hand')
  assert.notEqual((await secret.labels()).current, current)
  assert.equal(await secret.makeCurrent('second', current), false)
})

test('a file that was changed by hand after a rotation is a new version', async (t) => {
  const folder = await temporaryFolder(t, {})
  const secret = await fileRotation(folder, 'local').open(name)
  await secret.putPending('first', new Secret('first'))
  await secret.makeCurrent('first', undefined)
  await writeFile(join(folder, 'jwk', 'theBuilder'), 'by hand')
  assert.notEqual((await secret.labels()).current, 'first')
})

test('if a process died before it removed an older pending version, the newer one is pending', async (t) => {
  const folder = await temporaryFolder(t, { 'jwk/theBuilder.pending-a': 'a', 'jwk/theBuilder.pending-b': 'b' })
  const secret = await fileRotation(folder, 'local').open(name)
  for (const newer of ['a', 'b']) {
    const at = (each: string) => new Date(each === newer ? 2_000 : 1_000)
    for (const each of ['a', 'b']) await utimes(join(folder, 'jwk', `theBuilder.pending-${each}`), at(each), at(each))
    assert.equal((await secret.labels()).pending, newer)
  }
})

test('the pending version of a secret does not belong to a secret with a longer name', async (t) => {
  const folder = await temporaryFolder(t, { 'jwk/key': 'first', 'jwk/keyToo': 'first' })
  const rotation = fileRotation(folder, 'local')
  await (await rotation.open('tokenwell/local/jwk/keyToo')).putPending('second', new Secret('second'))
  assert.equal((await (await rotation.open('tokenwell/local/jwk/key')).labels()).pending, undefined)
})

test('a name outside the stage is rejected, and no file outside the folder is touched', async (t) => {
  const folder = await temporaryFolder(t, {})
  for (const outside of ['tokenwell/prod/jwk/a', 'tokenwell/local/../a', 'a'])
    await assert.rejects(fileRotation(folder, 'local').open(outside), { name: 'SecretError', code: 'secret_denied' })
})

test('the error for a failure of the file system names the secret', async (t) => {
  const folder = await temporaryFolder(t, {})
  await mkdir(dirname(join(folder, 'jwk')), { recursive: true })
  await writeFile(join(folder, 'jwk'), 'a file where a folder should be')
  const secret = await fileRotation(folder, 'local').open(name)
  for (const failing of [secret.labels(), secret.read('a'), secret.putPending('a', new Secret('hunter2'))])
    await assert.rejects(failing, {
      name: 'SecretError',
      code: 'secret_denied',
      message: /^The secret tokenwell\/local\/jwk\/theBuilder cannot be rotated \(E\w+\)/,
    })
})
