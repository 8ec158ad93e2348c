import { parseJson } from '../base/decoding.ts'
import type { KeyRevocation } from '../signing/key-revocation.ts'
import { type CircuitBreaker, unlessUnavailable } from './circuit-breaker.ts'
import { type WithLaterFields, withLaterFields } from './later-fields.ts'
import { type RecordFields, type RecordStore, type StoredRecord, secretsVersionRecordName } from './record-store.ts'

/**
 * One version for all secrets of a stage. It changes when a secret changes, so that every process reads its secrets again. The same
 * record holds the revoked keys. Every process reads it before each token request.
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

/** Longer than a secret keeps a version that an operator could make current again. */
export const revokedMilliseconds = 365 * 86_400_000
const neverChanged = ''
/** The names of all fields. Others are of later versions. */
const markFields: ReadonlySet<string> = new Set(['changedAt', 'revoked'])

/** Every process reads it. Only processes that learn of a change write it, with `change-secrets-version.ts`. */
export function createSecretsVersion(dependencies: SecretsVersionDependencies) {
  const { now } = dependencies
  return {
    /**
     * The keys that must no longer be used.
     * @throws {CacheUnavailableError}
     */
    async revocations(waitUntil: number): Promise<readonly KeyRevocation[]> {
      return (await readMark(dependencies, waitUntil)).revocations
    },

    /** The current state. Undefined while the shared cache is unavailable. */
    async read(): Promise<SecretsState | undefined> {
      return await unlessUnavailable(async () => {
        const { version, revocations } = await readMark(dependencies, now())
        return { version, revocations }
      }, undefined)
    },
  }
}

export interface Mark extends SecretsState, WithLaterFields {
  /** Undefined where the record doesn't exist. */
  readonly writtenVersion: string | undefined
}

/** @throws {CacheUnavailableError} */
export async function readMark({ store, breaker, now }: SecretsVersionDependencies, waitUntil: number): Promise<Mark> {
  const [record] = await breaker.call('records', () => store.read([secretsVersionRecordName]), waitUntil)
  const fields = record?.fields ?? {}
  const revocations = readRevocations(fields, now())
  const later = withLaterFields(fields, markFields)
  return { writtenVersion: record?.version, version: versionOf(record), revocations, ...later }
}

/** A record that is not authentic has no fields: its version changes nothing. */
function versionOf(mark: StoredRecord | undefined): string {
  const counts = mark?.fields['changedAt'] !== undefined || mark?.isEarlier
  return counts ? (mark?.version ?? neverChanged) : neverChanged
}

/** Entries that aren't revocations are ignored, as are those that are over. */
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
