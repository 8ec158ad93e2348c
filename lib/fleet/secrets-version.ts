import { parseJson } from '../base/decoding.ts'
import type { KeyRevocation } from '../signing/key-revocation.ts'
import { type CircuitBreaker, unlessUnavailable } from './circuit-breaker.ts'
import { type RecordFields, type RecordStore, type StoredRecord, secretsVersionRecordName } from './record-store.ts'

/**
 * One version for all secrets of a stage: it changes when a secret does, so that every process reads its secrets again. Beside it
 * stand the keys that were revoked: every process reads both before each token request.
 */
export type SecretsVersion = ReturnType<typeof createSecretsVersion>

export interface SecretsVersionDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly now: () => number
}

export interface SecretsState {
  readonly version: string
  readonly revocations: readonly KeyRevocation[]
}

/** Longer than a secret keeps a version that could be made current again. */
export const revokedMilliseconds = 365 * 86_400_000
const neverChanged = ''

/** Every process reads it, and those alone that hear of a change write it: `change-secrets-version.ts`. */
export function createSecretsVersion(dependencies: SecretsVersionDependencies) {
  const { now } = dependencies
  return {
    /**
     * Which keys must not be used any more.
     * @throws {CacheUnavailableError}
     */
    async revocations(waitUntil: number): Promise<readonly KeyRevocation[]> {
      return (await readMark(dependencies, waitUntil)).revocations
    },

    /** What holds now; undefined while the shared cache can't be asked. */
    async read(): Promise<SecretsState | undefined> {
      return await unlessUnavailable(async () => {
        const { version, revocations } = await readMark(dependencies, now())
        return { version, revocations }
      }, undefined)
    },
  }
}

interface Mark extends SecretsState {
  /** Undefined where nothing was written. */
  readonly writtenVersion: string | undefined
}

/** @throws {CacheUnavailableError} */
export async function readMark({ store, breaker, now }: SecretsVersionDependencies, waitUntil: number): Promise<Mark> {
  const [record] = await breaker.call('records', () => store.read([secretsVersionRecordName]), waitUntil)
  const revocations = readRevocations(record?.fields ?? {}, now())
  return { writtenVersion: record?.version, version: versionOf(record), revocations }
}

/** A mark that is not authentic has no fields, and moves nothing. */
function versionOf(mark: StoredRecord | undefined): string {
  const counts = mark?.fields['changedAt'] !== undefined || mark?.isEarlier
  return counts ? (mark?.version ?? neverChanged) : neverChanged
}

/** Somebody else may have written it: what isn't a revocation is none. */
function readRevocations({ revoked }: RecordFields, now: number): KeyRevocation[] {
  const written: unknown = revoked === undefined ? undefined : parseJson(String(revoked))
  if (!Array.isArray(written)) return []
  return written.flatMap((each: unknown): KeyRevocation[] => {
    const [jwtBuilder, kid, revokedAt, location] = Array.isArray(each) ? (each as unknown[]) : []
    if (typeof jwtBuilder !== 'string' || typeof kid !== 'string' || typeof revokedAt !== 'number') return []
    if (now >= revokedAt + revokedMilliseconds) return []
    return [{ jwtBuilder, kid, revokedAt, ...(typeof location === 'string' && { location }) }]
  })
}
