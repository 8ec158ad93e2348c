import { locationOf } from '../configuration/assertion-configuration.ts'
import { buildersOfSecret } from '../configuration/dependents.ts'
import type { Deployment } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { resolveBuilderKey } from '../configuration/resolve-key.ts'
import type { SecretsVersionChanger } from '../fleet/change-secrets-version.ts'
import type { Log } from '../log/log-event.ts'
import type { PublicationStore } from './publication-store.ts'
import type { KeyPublisher } from './publish-keys.ts'
import { keysOf } from './published-keys.ts'

/** Revokes keys. */
export type KeyRevoker = ReturnType<typeof createKeyRevoker>

export interface KeyRevokerDependencies {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly secretsVersion: SecretsVersionChanger
  readonly publicationStore: PublicationStore
  readonly keyPublisher: KeyPublisher
  readonly now: () => number
  readonly log: Log
}

export function createKeyRevoker(dependencies: KeyRevokerDependencies) {
  const { elements, deployment, secretsVersion, publicationStore, keyPublisher, now, log } = dependencies

  return {
    /**
     * From now on no instance signs with the key, and it is not published. The same holds for other jwtBuilders that sign with the
     * same secret.
     * @returns the jwtBuilders that may have signed with the key
     * @param deadline milliseconds since the epoch
     * @throws {CacheUnavailableError}
     * @throws {PublicationKeyError}
     * @throws {ElementStoreError}
     * @throws {ConfigurationError} if the elements don't tell which secret holds the key: it is revoked for its own jwtBuilder only
     */
    async revoke(
      { jwtBuilder, kid }: { readonly jwtBuilder: string; readonly kid: string },
      deadline: number,
    ): Promise<readonly string[]> {
      const revocation = { jwtBuilder, kid, revokedAt: now() }
      await secretsVersion.revoke(revocation, deadline)
      const published = await publicationStore.read(jwtBuilder, deadline)
      const wasPublished = keysOf(published?.publication, now()).some(({ jwk }) => jwk.kid === kid)
      log({ event: 'key_revoked', jwtBuilder, kid, wasPublished })
      await keyPublisher.publish([jwtBuilder], deadline)

      const builder = await resolveBuilderKey(elements, deployment, jwtBuilder)
      if (!builder) return [jwtBuilder]
      const location = locationOf(builder.key)
      await secretsVersion.revoke({ ...revocation, location }, deadline)
      const sharing = await buildersOfSecret(elements, deployment, location)
      await keyPublisher.publish(sharing, deadline)
      return [...new Set([jwtBuilder, ...sharing])]
    },
  }
}
