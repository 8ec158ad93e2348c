import { createPublicKey, sign } from 'node:crypto'
import {
  publishedKeysRecordName,
  type RecordFields,
  type RecordStore,
  type StoredRecord,
} from '../../../lib/fleet/record-store.ts'
import type { PublicationSigner } from '../../../lib/key-lifecycle/publication-key.ts'
import { readPublication, signedBytes, writePublication } from '../../../lib/key-lifecycle/publication-record.ts'
import type { Publication } from '../../../lib/key-lifecycle/published-keys.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'

/** Creates a key pair in this process. Each call stands for another stage. */
export function createPublicationKey(): PublicationSigner {
  const privateKey = generateKey('ES256', 0)
  return {
    publicKey: async () => createPublicKey(privateKey),
    sign: async (bytes) => sign('sha256', bytes, privateKey),
  }
}

/** The publication key of functions made with `withDefaultPorts`. */
export const thePublicationKey = createPublicationKey()

/** The keys that this jwtBuilder's record publishes, if that key signed it. */
export async function publicationIn(
  store: RecordStore,
  jwtBuilder: string,
  now: number,
  signer = thePublicationKey,
): Promise<Publication | undefined> {
  const [record] = await store.read([publishedKeysRecordName(jwtBuilder)])
  const found = record && readPublication(jwtBuilder, record, await signer.publicKey(), now)
  return found?.kind === 'signed' ? found.publication : undefined
}

let versions = 0

/** Publishes as the functions do, and overwrites what was published before. */
export async function putPublication(
  store: RecordStore,
  jwtBuilder: string,
  publication: Publication,
  now: number,
  signer = thePublicationKey,
): Promise<void> {
  const name = publishedKeysRecordName(jwtBuilder)
  const [before] = await store.read([name])
  const signed = await writePublication(jwtBuilder, publication, { signer, version: `by-test-${versions++}`, now })
  if (!(await store.write(name, signed, before?.version))) throw new Error('another process was faster')
}

/** A record with exactly these fields and a valid signature, as a bug in Tokenwell could write it. */
export async function signFields(
  jwtBuilder: string,
  fields: RecordFields,
  now: number,
  signer = thePublicationKey,
): Promise<StoredRecord> {
  const signed = { ...fields, signedAt: now }
  const signature = await signer.sign(signedBytes(jwtBuilder, { fields: signed }))
  return {
    version: `by-test-${versions++}`,
    removableFrom: now + 1e6,
    fields: { ...signed, signature: Buffer.from(signature).toString('base64url') },
  }
}
