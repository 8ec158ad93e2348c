import assert from 'node:assert/strict'
import { verify } from 'node:crypto'
import { readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { filePublicationKey } from '../../../../lib/adapters/files/file-publication-key.ts'
import { PublicationKeyError } from '../../../../lib/key-lifecycle/publication-key.ts'
import { generateKey } from '../../../../lib/signing/key-algorithm.ts'
import { temporaryFolder } from '../../../support/process/temporary-folder.ts'

const bytes = Buffer.from('some bytes')
const pathIn = async (t: TestContext) => join(await temporaryFolder(t), 'not-there-yet', 'key.pem')

test("the first process makes the key for its owner only, and all processes verify each other's signatures", async (t) => {
  const path = await pathIn(t)
  const processes = Array.from({ length: 5 }, () => filePublicationKey(path))
  const signatures = await Promise.all(processes.map((each) => each.sign(bytes)))
  for (const each of [...processes, filePublicationKey(path)])
    for (const signature of signatures) {
      assert.ok(verify('sha256', bytes, await each.publicKey(), signature))
      assert.ok(!verify('sha256', Buffer.from('other bytes'), await each.publicKey(), signature))
    }
  assert.equal((await each0(processes).publicKey()).type, 'public')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(dirname(path)), ['key.pem'], 'nothing unfinished is left')
})

test('a file that is not such a key is not replaced, and the error names its path', async (t) => {
  const folder = await temporaryFolder(t)
  const other = generateKey('ES384', 0).export({ type: 'pkcs8', format: 'pem' })
  for (const [name, content] of Object.entries({ empty: '', text: 'hunter2', other })) {
    const path = join(folder, name)
    await writeFile(path, content)
    const failure = await filePublicationKey(path)
      .sign(bytes)
      .then(String, (error: unknown) => error)
    assert.ok(failure instanceof PublicationKeyError, name)
    assert.ok(failure.message.includes(path) && !failure.message.includes('hunter2'), failure.message)
  }
})

function each0<T>([first]: readonly T[]): T {
  return first ?? assert.fail()
}
