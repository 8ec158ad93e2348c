import { isElementId } from '../configuration/element.ts'
import { type Surroundings, secretPrefix } from '../configuration/surroundings.ts'
import { Secret } from '../secret/secret.ts'
import { RotationRefusedError } from './rotation-refused-error.ts'

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
export function readRotationRequest(event: unknown, surroundings: Pick<Surroundings, 'stage'>): RotationRequest {
  const members = (typeof event === 'object' && event !== null ? event : {}) as Readonly<Record<string, unknown>>
  const { Step: step, SecretId: secretId, ClientRequestToken: token, RotationToken: rotationToken } = members
  const known = rotationSteps.find((each) => each === step)
  if (!known) throw new RotationRefusedError(`Step must be one of ${rotationSteps.join(', ')}.`)
  if (typeof token !== 'string' || !/^[A-Za-z0-9-]{1,64}$/.test(token))
    throw new RotationRefusedError(
      'ClientRequestToken must be the name of a version: at most 64 letters, digits and -.',
    )

  const prefix = `${secretPrefix(surroundings)}jwk/`
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
