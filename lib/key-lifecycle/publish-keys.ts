import { batchesOf } from '../base/semaphore.ts'
import { generatedKeyOf, isInKms } from '../configuration/assertion-configuration.ts'
import type { Deployment } from '../configuration/deployment.ts'
import { type ElementStore, mergeReads } from '../configuration/element-store.ts'
import { ConfigurationError } from '../configuration/finding.ts'
import { type BuilderKey, resolveBuilderKey } from '../configuration/resolve-key.ts'
import { isSharedKeyAlgorithm } from '../configuration/signature-algorithm.ts'
import type { Log } from '../log/log-event.ts'
import { SecretError, type SecretStore } from '../secret/secret-store.ts'
import { ownerOf } from '../signing/key-revocation.ts'
import { type KeyService, KeyServiceError } from '../signing/key-service.ts'
import {
  currentKey,
  type KeyAge,
  KeyStoreError,
  keyAge,
  type SigningKey,
  stagedKey,
  type Times,
} from '../signing/signing-key.ts'
import { readGeneratedKeys, readSigningKeys } from '../signing/signing-secret.ts'
import { aheadMillisecondsOf } from './plan-keys.ts'
import { type KmsBuilder, type PinnedPlan, planPinnedKeys } from './plan-pinned-keys.ts'
import type { SignedPublication } from './publication-record.ts'
import type { PublicationStore } from './publication-store.ts'
import { keysOf, keysToPublish, nextPublication, type Publication } from './published-keys.ts'
import type { UnrevokedPublications } from './unrevoked-publications.ts'

/** Publishes the keys of jwtBuilders. */
export type KeyPublisher = ReturnType<typeof createKeyPublisher>

export interface KeyPublisherDependencies {
  readonly elements: ElementStore
  readonly deployment: Deployment
  /** Reads from the store each time, not from a cache. */
  readonly secrets: SecretStore
  readonly keyService: KeyService
  readonly publicationStore: PublicationStore
  readonly publications: UnrevokedPublications
  readonly now: () => number
  readonly log: Log
}

/**
 * So that 1,000 jwtBuilders are published within the 60 s of refresh-token. KMS makes 300 signatures a second, and Parameter Store
 * answers 40 reads a second, each of ten elements.
 */
const buildersAtATime = 25

export function createKeyPublisher(dependencies: KeyPublisherDependencies) {
  const { elements, deployment, secrets, keyService, publicationStore, publications, now, log } = dependencies

  async function publishKeysOf(jwtBuilder: string, store: ElementStore, deadline: number): Promise<void> {
    const builder = await resolveBuilderKey(store, deployment, jwtBuilder)
    let signingKeys: readonly Times[] = []

    const published = await publications.change(
      builder ? ownerOf(builder.key) : { jwtBuilder },
      async (before, revoked) => {
        if (isKmsBuilder(builder)) {
          const ofAlias = await keyService.publicKey(builder.key.kmsAlias)
          const plan = planPinnedKeys(builder, ofAlias, before, revoked, now())
          signingKeys = plan.keys.flatMap(({ pin }) => pin ?? [])
          return publicationOfKms(before, builder, plan, now())
        }
        const keys = await readKeys(secrets, builder)
        const unrevoked = keys.filter(({ keyId }) => !revoked.has(keyId))
        signingKeys = unrevoked
        return publicationAfter(before, builder, unrevoked, now())
      },
      deadline,
    )
    const keys = keysOf(published?.publication, now()).length
    log({
      event: 'keys_published',
      jwtBuilder,
      keys,
      ...signatureAge(published),
      ...ageOf(builder, signingKeys, now()),
    })
  }

  function signatureAge(published: SignedPublication | undefined): { readonly signatureAgeSeconds?: number } {
    return published ? { signatureAgeSeconds: Math.max(0, Math.floor((now() - published.signedAt) / 1000)) } : {}
  }

  /** The published keys stay, and are not signed anew. An alarm watches the age of the signature. */
  async function reportFailure(
    jwtBuilder: string,
    { code, message: reason }: OperatorsError,
    deadline: number,
  ): Promise<void> {
    const published = await publicationStore.read(jwtBuilder, deadline)
    log({ event: 'publication_failed', jwtBuilder, code, reason, ...signatureAge(published) })
  }

  async function publishOrReport(jwtBuilder: string, store: ElementStore, deadline: number): Promise<void> {
    try {
      await publishKeysOf(jwtBuilder, store, deadline)
    } catch (error) {
      if (!isForOperators(error)) throw error
      await reportFailure(jwtBuilder, error, deadline)
    }
  }

  /** @returns the failures that pass by themselves */
  async function publishTogether(jwtBuilders: readonly string[], deadline: number): Promise<unknown[]> {
    const failures: unknown[] = []
    const forEach = async (names: readonly string[], run: (jwtBuilder: string) => Promise<void>) => {
      const outcomes = await Promise.allSettled(names.map(run))
      failures.push(
        ...outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : [])),
      )
      return names.filter((_name, index) => outcomes[index]?.status === 'fulfilled')
    }
    // Revoked keys are withdrawn first, because the next steps may fail.
    const isAnyRevoked = await publications.isAnyRevoked(deadline).catch(() => true)
    const withdrawn = isAnyRevoked
      ? await forEach(jwtBuilders, (jwtBuilder) => publications.withdraw(jwtBuilder, deadline))
      : jwtBuilders
    const store = mergeReads(elements)
    await forEach(withdrawn, (jwtBuilder) => publishOrReport(jwtBuilder, store, deadline))
    return failures
  }

  return {
    /**
     * Publishes the public keys of these jwtBuilders as they are now, and withdraws keys whose last assertion has expired.
     * Writes only what differs, or was signed more than half an hour ago. A failure that the operator must fix is logged and the
     * published keys stay: the fix raises an event that publishes again. A failure that passes by itself is thrown after all
     * jwtBuilders had their turn.
     * @param deadline milliseconds since the epoch
     * @throws {SecretError}
     * @throws {KeyServiceError}
     * @throws {ElementStoreError}
     * @throws {PublicationKeyError}
     * @throws {CacheUnavailableError}
     */
    async publish(jwtBuilders: readonly string[], deadline: number): Promise<void> {
      const failures: unknown[] = []
      for (const some of batchesOf([...new Set(jwtBuilders)], buildersAtATime))
        failures.push(...(await publishTogether(some, deadline)))
      if (failures.length > 0) throw failures[0]
    },
  }
}

/** The assertion lifetime to assume for a jwtBuilder that was deleted. */
const unknownAssertionSeconds = 3_600

/** @param builder undefined if the jwtBuilder was deleted */
function publicationAfter(
  before: Publication | undefined,
  builder: BuilderKey | undefined,
  signingKeys: readonly SigningKey[],
  now: number,
): Publication | 'unchanged' {
  if (!builder)
    return nextPublication(before, { keys: [], assertionSeconds: unknownAssertionSeconds, aheadMilliseconds: 0 }, now)
  const { algorithm, assertionSeconds } = builder
  const aheadMilliseconds = aheadMillisecondsOf(generatedKeyOf(builder.key))
  if (isSharedKeyAlgorithm(algorithm)) return { kind: 'shared_key', algorithm }
  const keys = keysToPublish(builder, signingKeys, now)
  const signsFrom = stagedKey(signingKeys, now)?.signsFrom
  return nextPublication(before, { keys, signsFrom, assertionSeconds, aheadMilliseconds }, now)
}

function isKmsBuilder(builder: BuilderKey | undefined): builder is KmsBuilder {
  return builder !== undefined && isInKms(builder.key)
}

function publicationOfKms(
  before: Publication | undefined,
  { assertionSeconds, key: { publishAheadSeconds } }: KmsBuilder,
  plan: PinnedPlan,
  now: number,
): Publication | 'unchanged' {
  return nextPublication(before, { ...plan, assertionSeconds, aheadMilliseconds: publishAheadSeconds * 1000 }, now)
}

/** An empty list if the jwtBuilder was deleted or signs with a shared key. */
async function readKeys(secrets: SecretStore, builder: BuilderKey | undefined): Promise<readonly SigningKey[]> {
  if (!builder || isSharedKeyAlgorithm(builder.algorithm)) return []
  const { key } = builder
  if (isInKms(key)) return []
  const { location, generated } = key
  const secret = await secrets.get(location)
  return generated ? readGeneratedKeys(location, secret) : readSigningKeys(location, secret)
}

function ageOf(builder: BuilderKey | undefined, keys: readonly Times[], now: number): Partial<KeyAge> {
  const signsFrom = currentKey(keys, now)?.signsFrom
  return signsFrom === undefined ? {} : keyAge(signsFrom, builder && generatedKeyOf(builder.key), now)
}

/** An error that only the operator can fix. */
type OperatorsError = ConfigurationError | KeyStoreError | KeyServiceError | SecretError

function isForOperators(error: unknown): error is OperatorsError {
  if (error instanceof SecretError || error instanceof KeyServiceError) return !error.isPassing
  return error instanceof ConfigurationError || error instanceof KeyStoreError
}
