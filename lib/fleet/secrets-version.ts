import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import { parseJson } from '../base/decoding.ts'
import type { KeyRevocation } from '../signing/key-revocation.ts'
import { CacheUnavailableError, type CircuitBreaker, unlessUnavailable } from './circuit-breaker.ts'
import { type RecordFields, type RecordStore, type StoredRecord, secretsVersionRecordName } from './record-store.ts'
import { spareMilliseconds } from './token-record.ts'

/**
 * One version for all secrets of a stage: it changes when a secret does, so that every process reads its secrets again. Beside it
 * stand the keys that were revoked: every process reads both before each token request.
 */
export type SecretsVersion = ReturnType<typeof createSecretsVersion>

export interface SecretsVersionDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly now: () => number
  readonly randomId: () => string
}

export interface SecretsState {
  readonly version: string
  readonly revocations: readonly KeyRevocation[]
}

/** Longer than any process keeps a secret. */
const keptMilliseconds = 24 * spareMilliseconds
/** Longer than a secret keeps a version that could be made current again. */
const revokedMilliseconds = 365 * 86_400_000
/** Every process reads all of them before each token request; the oldest go first. */
const mostRevocations = 100
const mostTries = 20
const neverChanged = ''

export function createSecretsVersion({ store, breaker, now, randomId }: SecretsVersionDependencies) {
  async function readRecord(waitUntil: number) {
    const [record] = await breaker.call('records', () => store.read([secretsVersionRecordName]), waitUntil)
    const revocations = readRevocations(record?.fields ?? {}, now())
    return { writtenVersion: record?.version, version: versionOf(record), revocations }
  }

  async function write(
    revocations: readonly KeyRevocation[],
    before: string | undefined,
    waitUntil: number,
  ): Promise<boolean> {
    const ends = revocations.map(({ revokedAt }) => revokedAt + revokedMilliseconds)
    const removableFrom = Math.max(now() + keptMilliseconds, ...ends)
    const next = { version: randomId(), removableFrom, fields: { changedAt: now(), ...fieldsOf(revocations) } }
    return await breaker.call('records', () => store.write(secretsVersionRecordName, next, before), waitUntil)
  }

  return {
    /**
     * Says that a secret has changed.
     * @throws {CacheUnavailableError}
     */
    async change(waitUntil: number): Promise<void> {
      const { writtenVersion, revocations } = await readRecord(waitUntil)
      // Where another process was faster, the version has changed.
      await write(revocations, writtenVersion, waitUntil)
    },

    /**
     * Says that a key must not be used any more. What is known already is not written.
     * @throws {CacheUnavailableError}
     */
    async revoke(revocation: KeyRevocation, waitUntil: number): Promise<void> {
      const outcome = await compareAndSet(mostTries, async () => {
        const { writtenVersion, revocations } = await readRecord(waitUntil)
        const after = withRevocation(revocations, revocation)
        if (JSON.stringify(after) === JSON.stringify(revocations)) return true
        return (await write(after, writtenVersion, waitUntil)) || lostRace
      })
      if (outcome === lostRace) throw new CacheUnavailableError('others write the version of the secrets all the time')
    },

    /**
     * Which keys must not be used any more.
     * @throws {CacheUnavailableError}
     */
    async revocations(waitUntil: number): Promise<readonly KeyRevocation[]> {
      return (await readRecord(waitUntil)).revocations
    },

    /** What holds now; undefined while the shared cache can't be asked. */
    async read(): Promise<SecretsState | undefined> {
      return await unlessUnavailable(async () => {
        const { version, revocations } = await readRecord(now())
        return { version, revocations }
      }, undefined)
    },
  }
}

/** A mark that is not authentic has no fields, and moves nothing. */
function versionOf(mark: StoredRecord | undefined): string {
  const counts = mark?.fields['changedAt'] !== undefined || mark?.isEarlier
  return counts ? (mark?.version ?? neverChanged) : neverChanged
}

function withRevocation(before: readonly KeyRevocation[], added: KeyRevocation): readonly KeyRevocation[] {
  const { jwtBuilder, kid } = added
  const isSame = (each: KeyRevocation) => each.jwtBuilder === jwtBuilder && each.kid === kid
  const known = before.find(isSame)
  const merged = { ...added, ...known, ...(added.location !== undefined && { location: added.location }) }
  return [...before.filter((each) => !isSame(each)), merged].slice(-mostRevocations)
}

function fieldsOf(revocations: readonly KeyRevocation[]): RecordFields {
  if (revocations.length === 0) return {}
  const written = revocations.map(({ jwtBuilder, kid, revokedAt, location }) => [
    jwtBuilder,
    kid,
    revokedAt,
    ...(location === undefined ? [] : [location]),
  ])
  return { revoked: JSON.stringify(written) }
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
