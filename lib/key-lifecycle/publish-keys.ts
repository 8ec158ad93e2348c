import type { Deployment } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { ConfigurationError } from '../configuration/finding.ts'
import { type BuilderKey, resolveBuilderKey } from '../configuration/resolve-key.ts'
import { isSharedKeyAlgorithm } from '../configuration/signature-algorithm.ts'
import type { Log } from '../log/log-event.ts'
import { SecretError, type SecretStore } from '../secret/secret-store.ts'
import { currentKey, type KeyAge, KeyStoreError, keyAge, type SigningKey, stagedKey } from '../signing/signing-key.ts'
import { readGeneratedKeys, readSigningKeys } from '../signing/signing-secret.ts'
import type { Publications } from './publication-store.ts'
import { keysOf, keysToPublish, nextPublication } from './published-keys.ts'

/**
 * Publishes the public halves of these jwtBuilders' keys as they are now, and takes away those whose last assertion is out.
 * Writes only what differs. What an operator has to mend is logged, and what was published stays: mending it is a change of
 * its own. What passes is thrown once all the others are done.
 * @param deadline milliseconds since the epoch
 * @throws {SecretError}
 * @throws {ElementStoreError}
 * @throws {CacheUnavailableError}
 */
export type PublishKeys = (jwtBuilders: readonly string[], deadline: number) => Promise<void>

export interface PublishKeysParts {
  readonly elements: ElementStore
  readonly deployment: Deployment
  /** Reads anew each time. */
  readonly secrets: SecretStore
  readonly publications: Publications
  readonly now: () => number
  readonly log: Log
}

export function createPublishKeys(parts: PublishKeysParts): PublishKeys {
  return async (jwtBuilders, deadline) => {
    const failures: unknown[] = []
    for (const jwtBuilder of new Set(jwtBuilders))
      await publishKeysOf(parts, jwtBuilder, deadline).catch((error) => {
        if (isForOperators(error))
          parts.log({ event: 'publication_failed', jwtBuilder, code: error.code, reason: error.message })
        else failures.push(error)
      })
    if (failures.length > 0) throw failures[0]
  }
}

async function publishKeysOf(parts: PublishKeysParts, jwtBuilder: string, deadline: number): Promise<void> {
  const { elements, deployment, secrets, publications, now, log } = parts
  const builder = await resolveBuilderKey(elements, deployment, jwtBuilder)
  let signingKeys: readonly SigningKey[] = []

  const publication = await publications.change(
    jwtBuilder,
    async (before) => {
      if (!builder)
        return before && nextPublication(before, { keys: [], assertionSeconds: unknownAssertionSeconds }, now())
      const { algorithm, assertionSeconds } = builder
      if (isSharedKeyAlgorithm(algorithm)) return { kind: 'shared_key', algorithm }
      signingKeys = await readKeys(secrets, builder)
      const keys = keysToPublish(builder, signingKeys, now())
      const signsFrom = stagedKey(signingKeys, now())?.signsFrom
      return nextPublication(before, { keys, signsFrom, assertionSeconds }, now())
    },
    deadline,
  )
  const keys = keysOf(publication, now()).length
  log({ event: 'keys_published', jwtBuilder, keys, ...ageOf(builder, signingKeys, now()) })
}

/** Of a jwtBuilder that is gone. */
const unknownAssertionSeconds = 3_600

async function readKeys(secrets: SecretStore, { key }: BuilderKey): Promise<readonly SigningKey[]> {
  const secret = await secrets.get(key.location)
  return key.generated ? readGeneratedKeys(key.location, secret) : readSigningKeys(key.location, secret)
}

function ageOf(builder: BuilderKey | undefined, keys: readonly SigningKey[], now: number): Partial<KeyAge> {
  const signsFrom = currentKey(keys, now)?.signsFrom
  return signsFrom === undefined ? {} : keyAge(signsFrom, builder?.key.generated, now)
}

function isForOperators(error: unknown): error is ConfigurationError | KeyStoreError | SecretError {
  if (error instanceof SecretError) return !error.isPassing
  return error instanceof ConfigurationError || error instanceof KeyStoreError
}
