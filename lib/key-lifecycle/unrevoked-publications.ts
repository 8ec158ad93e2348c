import type { SecretsVersion } from '../fleet/secrets-version.ts'
import { type KeyOwner, revokedKeysOf } from '../signing/key-revocation.ts'
import type { SignedPublication } from './publication-record.ts'
import type { PublicationStore } from './publication-store.ts'
import { keysOf, type Publication } from './published-keys.ts'

/** The `kid` of every key that an operator has revoked. */
export type RevokedKeys = ReadonlySet<string>

/** Decides the next publication. It must read everything that it depends on anew at each call. `before` has no revoked key. */
export type PublicationDecision = (
  before: Publication | undefined,
  revoked: RevokedKeys,
) => Promise<Publication | 'unchanged'>

export interface UnrevokedPublicationsDependencies {
  readonly secretsVersion: SecretsVersion
  readonly publicationStore: PublicationStore
  readonly now: () => number
}

/** The published keys of every jwtBuilder, without revoked keys. All code that publishes uses it. */
export type UnrevokedPublications = ReturnType<typeof createUnrevokedPublications>

export function createUnrevokedPublications(dependencies: UnrevokedPublicationsDependencies) {
  const { secretsVersion, publicationStore, now } = dependencies

  async function revokedOf(owner: KeyOwner, waitUntil: number): Promise<RevokedKeys> {
    return revokedKeysOf(owner, await secretsVersion.revocations(waitUntil))
  }

  /**
   * Replaces the publication by compare-and-set.
   * @param waitUntil milliseconds since the epoch
   * @returns the publication that holds now
   * @throws {PublicationKeyError}
   * @throws {CacheUnavailableError}
   */
  async function change(
    owner: KeyOwner,
    decide: PublicationDecision,
    waitUntil: number,
  ): Promise<SignedPublication | undefined> {
    const decideUnrevoked = async (before: Publication | undefined) => {
      const revoked = await revokedOf(owner, waitUntil)
      const kept = before && withoutRevoked(before, revoked)
      const after = await decide(kept, revoked)
      if (after !== 'unchanged') return withoutRevoked(after, revoked)
      // `decide` has not checked these keys, so they must not be signed anew.
      return kept === before ? 'unchanged' : (kept ?? 'unchanged')
    }
    for (;;) {
      const published = await publicationStore.change(owner.jwtBuilder, decideUnrevoked, waitUntil)
      // Another process may have revoked a key between the decision and its write, and found nothing to withdraw then.
      const revoked = await revokedOf(owner, waitUntil)
      if (!keysOf(published?.publication, now()).some(({ jwk }) => revoked.has(jwk.kid))) return published
    }
  }

  return {
    revokedOf,
    change,
    /**
     * Whether the operator has revoked a key of any jwtBuilder by an event.
     * @throws {CacheUnavailableError}
     */
    async isAnyRevoked(waitUntil: number): Promise<boolean> {
      return (await secretsVersion.revocations(waitUntil)).length > 0
    },
    /**
     * Withdraws revoked keys. It needs neither elements nor secrets.
     * @throws {PublicationKeyError}
     * @throws {CacheUnavailableError}
     */
    async withdraw(jwtBuilder: string, waitUntil: number): Promise<void> {
      await change({ jwtBuilder }, async () => 'unchanged', waitUntil)
    },
  }
}

function withoutRevoked(publication: Publication, revoked: RevokedKeys): Publication {
  if (publication.kind !== 'keys' || !publication.keys.some(({ jwk }) => revoked.has(jwk.kid))) return publication
  return { ...publication, keys: publication.keys.filter(({ jwk }) => !revoked.has(jwk.kid)) }
}
