import { createPublicKey, type JsonWebKey, X509Certificate } from 'node:crypto'
import { publishedKeysRecordName } from '../fleet/record-store.ts'
import type { PinnedKey, PinnedKeys } from '../signing/kms-signers.ts'
import { type PublicationReaderDependencies, PublicationRefusedError } from './publication-store.ts'
import type { PublishedKey } from './published-keys.ts'

/** Reads the keys that publications pin, for instances that sign. A rejected record is one that can't be read. */
export function createPinnedKeys({
  store,
  breaker,
  publicationKey,
  now,
  log,
}: PublicationReaderDependencies): PinnedKeys {
  return {
    async read(jwtBuilder) {
      const [record] = await breaker.call('records', () => store.read([publishedKeysRecordName(jwtBuilder)]), now())
      if (!record) return []
      // Few connections have a key in KMS, and the others do not load the module.
      const records = await import('./publication-record.ts')
      // An old publication pins as well: publishing may have failed for days, while the alias names a key that no server knows.
      const readAt = Math.min(now(), Number(record.fields['signedAt'] ?? now()))
      const found = records.readPublication(jwtBuilder, record, await publicationKey.publicKey(), readAt)
      if (found.kind === 'refused') {
        log({ event: 'publication_refused', jwtBuilder, why: found.why })
        throw new PublicationRefusedError(jwtBuilder, found.why)
      }
      return found.publication.kind === 'keys' ? found.publication.keys.flatMap((key) => pinnedKey(key) ?? []) : []
    },
  }
}

function pinnedKey({ jwk, pin }: PublishedKey): PinnedKey | undefined {
  const { x5c = [] } = jwk
  const chain: readonly string[] = typeof x5c === 'string' ? [] : x5c
  return (
    pin && {
      ...pin,
      keyId: jwk.kid,
      publicKey: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }),
      certificates: chain.map((each) => new X509Certificate(Buffer.from(each, 'base64'))),
    }
  )
}
