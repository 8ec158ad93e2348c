import { RemovalPolicy, SecretValue, Stack } from 'aws-cdk-lib'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnRotationSchedule, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct, type IDependable } from 'constructs'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { isSharedKeyAlgorithm, signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { readDuration } from '../../lib/configuration/value-syntax.ts'
import { suppressCheckov } from './suppressions.ts'

export interface RotatedKeysProps {
  readonly stage: string
  readonly rotateKey: IFunction
  readonly encryptionKey?: IKey
  readonly removalPolicy?: RemovalPolicy
}

export interface RotatedBuilder {
  readonly jwtBuilder: string
  readonly rotationMilliseconds: number
}

const hourMilliseconds = 3_600_000
/** The maximum number of hours in a rate expression of Secrets Manager. */
const mostHours = 999
const hoursOfDay = 24
const defaultRotation = '720h'
const kindPrefix = 'jwtBuilder/'
const permissionId = 'RotationBySecretsManager'
/**
 * The value until the first rotation has made a key. The deployment starts that rotation. Never change this text, not even by a
 * space: CloudFormation would overwrite the keys with the changed text.
 */
const noKeys = SecretValue.unsafePlainText('{"keys":[]}')

/** The secrets of the jwtBuilders whose keys Tokenwell makes, each with its rotation. */
export class RotatedKeys extends Construct {
  private readonly props: RotatedKeysProps
  private readonly permission: IDependable

  constructor(scope: Construct, id: string, props: RotatedKeysProps) {
    super(scope, id)
    this.props = props
    props.rotateKey.addPermission(permissionId, {
      principal: new ServicePrincipal('secretsmanager.amazonaws.com'),
      sourceAccount: Stack.of(this).account,
    })
    this.permission = props.rotateKey.node.findChild(permissionId)
  }

  /**
   * Adds the secret of a jwtBuilder and its rotation.
   * @param rotationMilliseconds the time from one key to the next: whole hours, at least four
   * @param after resources that must be deployed before the first rotation
   */
  add(jwtBuilder: string, rotationMilliseconds: number, after: readonly IDependable[]): Secret {
    const { stage, rotateKey, encryptionKey, removalPolicy } = this.props
    const secret = new Secret(this, jwtBuilder, {
      secretName: `${secretPrefix({ stage })}jwk/${jwtBuilder}`,
      description: `Signing keys that Tokenwell makes for the jwtBuilder ${jwtBuilder}, stage ${stage}`,
      secretStringValue: noKeys,
      removalPolicy: removalPolicy ?? RemovalPolicy.RETAIN,
      ...(encryptionKey && { encryptionKey }),
    })
    const schedule = new CfnRotationSchedule(secret, 'Rotation', {
      secretId: secret.secretArn,
      rotationLambdaArn: rotateKey.functionArn,
      rotationRules: { scheduleExpression: rateOf(rotationMilliseconds) },
      rotateImmediatelyOnUpdate: true,
    })
    // The schedule already depends on the function through its ARN.
    schedule.node.addDependency(this.permission, ...after)
    suppressCheckov(secret, {
      CKV_AWS_149: 'Secrets Manager encrypts it. The property encryptionKey sets a key of your own.',
    })
    return secret
  }
}

function rateOf(milliseconds: number): string {
  const hours = Math.floor(milliseconds / hourMilliseconds)
  return hours <= mostHours ? `rate(${hours} hours)` : `rate(${Math.floor(hours / hoursOfDay)} days)`
}

/**
 * The jwtBuilders whose keys Tokenwell makes, from elements by `<kind>/<id>`. The elements are validated. Only a jwtBuilder that no
 * connection uses may still contradict itself.
 */
export function rotatedBuilders(elements: ReadonlyMap<string, unknown>): RotatedBuilder[] {
  return [...elements].flatMap(([name, element]) => {
    const builder = element as Readonly<Record<string, unknown>>
    const { jwkEnabled = false, jwkRotationTime = defaultRotation } = builder
    if (!name.startsWith(kindPrefix) || String(jwkEnabled) !== 'true' || hasSharedKey(builder)) return []
    const rotationMilliseconds = readDuration(String(jwkRotationTime), 'm') ?? 0
    return [{ jwtBuilder: name.slice(kindPrefix.length), rotationMilliseconds }]
  })
}

function hasSharedKey({ signatureAlgorithm }: Readonly<Record<string, unknown>>): boolean {
  const algorithm = signatureAlgorithms.find((each) => each === signatureAlgorithm)
  return algorithm !== undefined && isSharedKeyAlgorithm(algorithm)
}
