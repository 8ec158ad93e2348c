import { isJsonObject } from '../base/decoding.ts'
import { type Deployment, secretPrefix } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { ConfigurationError } from '../configuration/finding.ts'
import { isElementId } from '../configuration/value-syntax.ts'
import { Secret } from '../secret/secret.ts'
import { type RotatedBuilder, resolveRotatedBuilder } from './plan-keys.ts'
import type { PublicationStore } from './publication-store.ts'
import type { KeyPublisher } from './publish-keys.ts'
import { type RotatingSecret, RotationRefusedError, type SecretRotation } from './rotating-secret.ts'
import { createSecret, finishSecret, type Rotation, setSecret, testSecret } from './rotation-steps.ts'
import type { UnrevokedPublications } from './unrevoked-publications.ts'

export interface KeyRotatorDependencies {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly secretRotation: SecretRotation
  readonly publicationStore: PublicationStore
  readonly publications: UnrevokedPublications
  readonly keyPublisher: KeyPublisher
  readonly now: () => number
}

/** Rotates the keys of jwtBuilders, step by step. */
export function createKeyRotator(dependencies: KeyRotatorDependencies) {
  const { secretRotation, publicationStore, publications, keyPublisher, now } = dependencies

  return {
    /**
     * Runs one step of one rotation. Every step can be repeated, also after a failure, and changes nothing the second time.
     * @param deadline milliseconds since the epoch
     * @throws {RotationRefusedError}
     * @throws {RotationGivenUpError}
     * @throws {ConfigurationError}
     * @throws {ElementStoreError}
     * @throws {SecretError}
     * @throws {KeyStoreError}
     * @throws {PublicationKeyError}
     * @throws {CacheUnavailableError}
     */
    async runStep(request: RotationRequest, deadline: number): Promise<void> {
      const { step, jwtBuilder, secretName, token, rotationToken } = request
      const secret = await secretRotation.open(secretName, rotationToken)
      const builder = await resolveBuilderOrGiveUp(dependencies, jwtBuilder, secret, token)
      const rotation: Rotation = { builder, secret, token, publicationStore, publications, now, deadline }
      switch (step) {
        case 'createSecret':
          return await createSecret(rotation)
        case 'setSecret':
          return await setSecret(rotation, keyPublisher)
        case 'testSecret':
          return await testSecret(rotation)
        case 'finishSecret':
          return await finishSecret(rotation)
      }
    },
  }
}

/** A refused rotation must not stay pending, or Secrets Manager would take the next one for its repetition. */
async function resolveBuilderOrGiveUp(
  { elements, deployment }: KeyRotatorDependencies,
  jwtBuilder: string,
  secret: RotatingSecret,
  token: string,
): Promise<RotatedBuilder> {
  try {
    return await resolveRotatedBuilder(elements, deployment, jwtBuilder)
  } catch (error) {
    if (error instanceof RotationRefusedError || error instanceof ConfigurationError) await secret.giveUp(token)
    throw error
  }
}

/** The steps in their order: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html */
export const rotationSteps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const

export type RotationStep = (typeof rotationSteps)[number]

/** One step of one rotation. */
export interface RotationRequest {
  readonly step: RotationStep
  readonly jwtBuilder: string
  readonly secretName: string
  /** Names the rotation and the version of the secret that it makes. */
  readonly token: string
  /** Identifies the caller of Secrets Manager who writes the version, if the event has it. */
  readonly rotationToken?: Secret
}

/**
 * Reads the event that asks for a step, as Secrets Manager sends it.
 * @throws {RotationRefusedError} with the name of the member that is not valid
 */
export function readRotationRequest(event: unknown, deployment: Pick<Deployment, 'stage'>): RotationRequest {
  const members = isJsonObject(event) ? event : {}
  const { Step, SecretId: secretId, ClientRequestToken: token, RotationToken: rotationToken } = members
  const step = rotationSteps.find((each) => each === Step)
  if (!step) throw new RotationRefusedError(`Step must be one of ${rotationSteps.join(', ')}.`)
  if (typeof token !== 'string' || !/^[A-Za-z0-9-]{1,64}$/.test(token))
    throw new RotationRefusedError(
      'ClientRequestToken must be the name of a version: 1 to 64 letters, digits and hyphens.',
    )

  const prefix = `${secretPrefix(deployment)}jwk/`
  const secretName = nameOf(secretId)
  const jwtBuilder = secretName?.startsWith(prefix) ? secretName.slice(prefix.length) : ''
  if (!secretName || !isElementId(jwtBuilder))
    throw new RotationRefusedError(
      `SecretId must name a secret ${prefix}<jwtBuilder>. Tokenwell rotates no other secret.`,
    )
  return {
    ...{ step, jwtBuilder, secretName, token },
    ...(typeof rotationToken === 'string' && { rotationToken: new Secret(rotationToken) }),
  }
}

/** The ARN of a secret ends with six characters that don't belong to its name. */
function nameOf(secretId: unknown): string | undefined {
  if (typeof secretId !== 'string') return undefined
  const [, name] = /^arn:[\w-]+:secretsmanager:[\w-]+:\d+:secret:(.+)-[A-Za-z0-9]{6}$/.exec(secretId) ?? []
  return name ?? secretId
}
