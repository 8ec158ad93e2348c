import { type Deployment, secretPrefix } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { ConfigurationError } from '../configuration/finding.ts'
import { isElementId } from '../configuration/value-syntax.ts'
import { Secret } from '../secret/secret.ts'
import { type RotatedBuilder, resolveRotatedBuilder } from './plan-keys.ts'
import type { Publications } from './publication-store.ts'
import type { PublishKeys } from './publish-keys.ts'
import { type RotatingSecret, RotationRefusedError, type SecretRotation } from './rotating-secret.ts'
import {
  createSecret,
  finishSecret,
  publishPendingKeys,
  type Rotation,
  readPendingKeys,
  testSecret,
} from './rotation-steps.ts'

/**
 * One step of the rotation of a jwtBuilder's keys. Each can be repeated after whatever happened to it, and changes nothing the
 * second time.
 * @param deadline milliseconds since the epoch
 * @throws {RotationRefusedError}
 * @throws {RotationGivenUpError}
 * @throws {ConfigurationError}
 * @throws {ElementStoreError}
 * @throws {SecretError}
 * @throws {KeyStoreError}
 * @throws {CacheUnavailableError}
 */
export type RotateKey = (request: RotationRequest, deadline: number) => Promise<void>

export interface RotateKeyParts {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly secretRotation: SecretRotation
  readonly publications: Publications
  readonly publishKeys: PublishKeys
  readonly now: () => number
}

export function createRotateKey(parts: RotateKeyParts): RotateKey {
  const { secretRotation, publications, publishKeys, now } = parts

  return async ({ step, jwtBuilder, secretName, token, rotationToken }, deadline) => {
    const secret = await secretRotation.open(secretName, rotationToken)
    const builder = await resolveOrEnd(parts, jwtBuilder, secret, token)
    const rotation: Rotation = { builder, secret, token }
    switch (step) {
      case 'createSecret':
        return createSecret(rotation, now())
      case 'setSecret': {
        const pending = await readPendingKeys(rotation)
        // The first version of a secret is current as soon as it is written.
        if (!pending) return publishKeys([jwtBuilder], deadline)
        return publishPendingKeys(rotation, pending, 'for now', { publications, now, deadline })
      }
      case 'testSecret':
        return testSecret(rotation, { publications, now, deadline })
      case 'finishSecret':
        return finishSecret(rotation, { publications, now, deadline })
    }
  }
}

/** A rotation that can't be is not left pending: the next one would be taken for its repetition. */
async function resolveOrEnd(
  { elements, deployment }: RotateKeyParts,
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

/** In this order, each repeatable: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html */
export const rotationSteps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const

export type RotationStep = (typeof rotationSteps)[number]

/** One step of one rotation. */
export interface RotationRequest {
  readonly step: RotationStep
  readonly jwtBuilder: string
  readonly secretName: string
  /** Names the rotation and the version of the secret that it makes. */
  readonly token: string
  /** On whose behalf the version is written, where the event says so. */
  readonly rotationToken?: Secret
}

/**
 * The event by which Secrets Manager asks for a step.
 * @throws {RotationRefusedError} naming the member that can't be
 */
export function readRotationRequest(event: unknown, deployment: Pick<Deployment, 'stage'>): RotationRequest {
  const members = (typeof event === 'object' && event !== null ? event : {}) as Readonly<Record<string, unknown>>
  const { Step: step, SecretId: secretId, ClientRequestToken: token, RotationToken: rotationToken } = members
  const known = rotationSteps.find((each) => each === step)
  if (!known) throw new RotationRefusedError(`Step must be one of ${rotationSteps.join(', ')}.`)
  if (typeof token !== 'string' || !/^[A-Za-z0-9-]{1,64}$/.test(token))
    throw new RotationRefusedError(
      'ClientRequestToken must be the name of a version: at most 64 letters, digits and -.',
    )

  const prefix = `${secretPrefix(deployment)}jwk/`
  const secretName = nameOf(secretId)
  const jwtBuilder = secretName?.startsWith(prefix) ? secretName.slice(prefix.length) : ''
  if (!secretName || !isElementId(jwtBuilder))
    throw new RotationRefusedError(
      `SecretId must be a secret ${prefix}<jwtBuilder>: the keys of no other are made here.`,
    )
  return {
    ...{ step: known, jwtBuilder, secretName, token },
    ...(typeof rotationToken === 'string' && { rotationToken: new Secret(rotationToken) }),
  }
}

/** An ARN ends in six characters that are no part of the name. */
function nameOf(secretId: unknown): string | undefined {
  if (typeof secretId !== 'string') return undefined
  const [, name] = /^arn:[\w-]+:secretsmanager:[\w-]+:\d+:secret:(.+)-[A-Za-z0-9]{6}$/.exec(secretId) ?? []
  return name ?? secretId
}
