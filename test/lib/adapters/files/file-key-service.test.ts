import assert from 'node:assert/strict'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type TestContext, test } from 'node:test'
import { compactVerify } from 'jose'
import { fileKeyService, keyFileOf } from '../../../../lib/adapters/files/file-key-service.ts'
import { generateKey } from '../../../../lib/signing/key-algorithm.ts'
import { KeyServiceError } from '../../../../lib/signing/key-service.ts'
import { createKmsSigners } from '../../../../lib/signing/kms-signers.ts'
import { temporaryFolder } from '../../../support/process/temporary-folder.ts'

const alias = 'alias/tokenwell/local/one'

async function folderWith(t: TestContext, key: KeyObject) {
  const folder = await temporaryFolder(t)
  const put = async (next: KeyObject) => {
    await mkdir(dirname(keyFileOf(folder, alias)), { recursive: true })
    await writeFile(keyFileOf(folder, alias), next.export({ type: 'pkcs8', format: 'pem' }))
  }
  await put(key)
  return { folder, put }
}

for (const algorithm of ['RS256', 'PS384', 'ES256', 'ES512', 'Ed25519'] as const)
  test(`a key in a file signs ${algorithm} as a key in KMS does`, async (t) => {
    const key = generateKey(algorithm, 2048)
    const { folder } = await folderWith(t, key)
    const signers = createKmsSigners({
      keyService: fileKeyService(folder),
      pinnedKeys: { read: async () => [] },
      now: Date.now,
    })
    const reference = { jwtBuilder: 'theBuilder', kmsAlias: alias, publishAheadSeconds: 0 }
    const signer = await signers.current(reference, algorithm)
    const jws = await signer.sign({ alg: algorithm }, { iss: 'me' })
    await compactVerify(jws.reveal(), createPublicKey(key))
  })

test('a missing file, one without a key, and another key in the place of the pinned one each have their sentence', async (t) => {
  const { folder, put } = await folderWith(t, generateKey('ES256', 0))
  const service = fileKeyService(folder)
  const isRefused = (sentence: RegExp) => (error: Error) => {
    assert.ok(error instanceof KeyServiceError && !error.isPassing)
    assert.match(error.message, sentence)
    return true
  }
  await assert.rejects(
    service.publicKey('alias/tokenwell/local/other'),
    isRefused(/other cannot be read \(ENOENT\).*write the private key as PEM into .*other\.pem/),
  )
  const { keyArn } = await service.publicKey(alias)
  await put(generateKey('ES256', 0))
  const request = { alias, keyArn, algorithm: 'ES256', message: Buffer.from('a') } as const
  await assert.rejects(service.sign(request), isRefused(/another key is in .*one\.pem/))
  await writeFile(keyFileOf(folder, alias), 'nothing')
  await assert.rejects(service.publicKey(alias), isRefused(/one cannot be read \(ERR_OSSL_UNSUPPORTED\)/))
})
