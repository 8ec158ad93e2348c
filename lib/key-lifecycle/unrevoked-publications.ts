import type { SecretsVersion } from '../fleet/secrets-version.ts'
import { type KeyOwner, revokedKeysOf } from '../signing/key-revocation.ts'
import type { SignedPublication } from './publication-record.ts'
import type { PublicationStore } from './publication-store.ts'
import { keysOf, type Publication } from './published-keys.ts'

/** The `kid` of every key that an operator has revoked. */
export type RevokedKeys = ReadonlySet<string>

/** Decides what is published next; it must read anew, each time, whatever it decides by. `before` has no revoked key. */
export type PublicationDecision = (
  before: Publication | undefined,
  revoked: RevokedKeys,
) => Promise<Publication | 'unchanged'>

export interface UnrevokedPublicationsDependencies {
  readonly secretsVersion: SecretsVersion
  readonly publicationStore: PublicationStore
  readonly now: () => number
}

/** What is published of every jwtBuilder's keys, by whomever: never a key that is revoked. */
export type UnrevokedPublications = ReturnType<typeof createUnrevokedPublications>

export function createUnrevokedPublications(dependencies: UnrevokedPublicationsDependencies) {
  const { secretsVersion, publicationStore, now } = dependencies

  async function revokedOf(owner: KeyOwner, waitUntil: number): Promise<RevokedKeys> {
    return revokedKeysOf(owner, await secretsVersion.revocations(waitUntil))
  }

  /**
   * Replaces what is published, by compare-and-set.
   * @param waitUntil milliseconds since the epoch
   * @returns what is published now
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
      // What nobody has looked at must not be signed anew.
      return kept === before ? 'unchanged' : (kept ?? 'unchanged')
    }
    for (;;) {
      const published = await publicationStore.change(owner.jwtBuilder, decideUnrevoked, waitUntil)
      // A key may have been revoked between the decision and its write, by a process that saw nothing to withdraw.
      const revoked = await revokedOf(owner, waitUntil)
      if (!keysOf(published?.publication, now()).some(({ jwk }) => revoked.has(jwk.kid))) return published
    }
  }

  return {
    revokedOf,
    change,
    /**
     * Withdraws what is revoked, whether elements and secrets can be read or not.
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
