import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import type { KeyRevocation } from '../signing/key-revocation.ts'
import { CacheUnavailableError } from './circuit-breaker.ts'
import { type RecordFields, secretsVersionRecordName } from './record-store.ts'
import { type Mark, readMark, revokedMilliseconds, type SecretsVersionDependencies } from './secrets-version.ts'
import { spareMilliseconds } from './token-record.ts'

/** Tells the fleet that a secret has changed, or that a key is revoked. */
export type SecretsVersionChanger = ReturnType<typeof createSecretsVersionChanger>

export interface SecretsVersionChangerDependencies extends SecretsVersionDependencies {
  readonly randomId: () => string
}

/** Longer than any process keeps a secret in memory. */
const keptMilliseconds = 24 * spareMilliseconds
/** Every process reads all of them before each token request. The oldest are dropped first. */
const mostRevocations = 100
const mostTries = 20

export function createSecretsVersionChanger(dependencies: SecretsVersionChangerDependencies) {
  const { store, breaker, now, randomId } = dependencies

  async function write(
    revocations: readonly KeyRevocation[],
    { writtenVersion, laterFields }: Mark,
    waitUntil: number,
  ): Promise<boolean> {
    const ends = revocations.map(({ revokedAt }) => revokedAt + revokedMilliseconds)
    const removableFrom = Math.max(now() + keptMilliseconds, ...ends)
    const fields = { ...laterFields, changedAt: now(), ...fieldsOf(revocations) }
    const next = { version: randomId(), removableFrom, fields }
    return await breaker.call('records', () => store.write(secretsVersionRecordName, next, writtenVersion), waitUntil)
  }

  return {
    /**
     * Tells the fleet that a secret has changed.
     * @throws {CacheUnavailableError}
     */
    async change(waitUntil: number): Promise<void> {
      const before = await readMark(dependencies, waitUntil)
      // Where another process was faster, that write has already changed the version.
      await write(before.revocations, before, waitUntil)
    },

    /**
     * Tells the fleet that a key must no longer be used. A revocation that is known already is not written again.
     * @throws {CacheUnavailableError}
     */
    async revoke(revocation: KeyRevocation, waitUntil: number): Promise<void> {
      const outcome = await compareAndSet(mostTries, async () => {
        const before = await readMark(dependencies, waitUntil)
        const after = withRevocation(before.revocations, revocation)
        if (JSON.stringify(after) === JSON.stringify(before.revocations)) return true
        return (await write(after, before, waitUntil)) || lostRace
      })
      if (outcome === lostRace)
        throw new CacheUnavailableError(
          `Other processes changed the record of the secrets version first, ${mostTries} times in a row. The event is delivered again.`,
        )
    },
  }
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
