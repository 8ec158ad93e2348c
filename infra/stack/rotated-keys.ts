import { createHash } from 'node:crypto'
import { NestedStack, RemovalPolicy, SecretValue, Stack } from 'aws-cdk-lib'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnRotationSchedule, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct, type IDependable } from 'constructs'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { isSharedKeyAlgorithm, signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { readDuration } from '../../lib/configuration/value-syntax.ts'
import { unlessRolledBack } from './removal.ts'
import { suppressCheckov } from './suppressions.ts'

export interface SigningKeySettings {
  /**
   * The jwtBuilders with `jwkEnabled` whose secrets are in the stack itself, which has room for 100. All others are in nested stacks.
   * Never take the name of a deployed jwtBuilder out of the list.
   * @default - all are in the stack itself
   */
  readonly signingKeysInStack?: readonly string[]
  /**
   * The regions to which the secrets of jwtBuilders with `jwkEnabled` are replicated, for a stage of the same name there: see
   * `infra/two-regions.md`. A replica is encrypted with a key of AWS.
   * @default - no replicas
   */
  readonly signingKeyReplicas?: readonly string[]
  /**
   * `false` in a region to which these secrets are replicated. The stack then makes neither secrets nor rotations, and the functions
   * sign with the replicas.
   * @default true
   */
  readonly makesSigningKeys?: boolean
}

export interface RotatedKeysProps extends SigningKeySettings {
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

/** Each has two resources. CloudFormation allows 500 resources in a stack, and the others of Tokenwell are some 100. */
const mostInStack = 100
const mostInNestedStack = 150
/** CloudFormation allows 2,500 resources in an operation, those of nested stacks included. */
const mostOfAll = 1_000

/**
 * The secrets of the jwtBuilders whose keys Tokenwell makes, each with its rotation. They are in the stack itself, or in nested
 * stacks. A secret never moves from one stack to another, because the other stack could not create a secret with the same name.
 */
export class RotatedKeys extends Construct {
  private readonly props: RotatedKeysProps
  private readonly permission: IDependable
  private readonly nestedStacks = new Map<string, NestedStack>()

  constructor(scope: Construct, id: string, props: RotatedKeysProps) {
    super(scope, id)
    if (props.makesSigningKeys === false && props.signingKeyReplicas)
      throw new Error(
        'signingKeyReplicas has no effect with makesSigningKeys: false, because the stack has no secrets to replicate. Set it in the region that makes the keys.',
      )
    this.props = props
    props.rotateKey.addPermission(permissionId, {
      principal: new ServicePrincipal('secretsmanager.amazonaws.com'),
      sourceAccount: Stack.of(this).account,
    })
    this.permission = props.rotateKey.node.findChild(permissionId)
  }

  /**
   * Adds the secret of a jwtBuilder and its rotation to the stack itself.
   * @param rotationMilliseconds the time from one key to the next: whole hours, at least four
   * @param after resources that must be deployed before the first rotation
   */
  add(jwtBuilder: string, rotationMilliseconds: number, after: readonly IDependable[]): Secret {
    if (this.props.makesSigningKeys === false)
      throw new Error(
        `signingKeys.add: with makesSigningKeys: false, the secret of the jwtBuilder ${jwtBuilder} is a replica. Add it in the region that makes the keys.`,
      )
    return this.addTo(this, { jwtBuilder, rotationMilliseconds }, after)
  }

  /**
   * Adds the secrets of all jwtBuilders of a set of elements.
   * @param after resources that must be deployed before the first rotation
   * @throws {Error} if there are too many for CloudFormation
   */
  addAll(builders: readonly RotatedBuilder[], after: readonly IDependable[]): void {
    const { signingKeysInStack, makesSigningKeys = true } = this.props
    if (!makesSigningKeys) return
    checkPlaces(
      builders.map(({ jwtBuilder }) => jwtBuilder),
      signingKeysInStack,
    )
    for (const builder of builders) {
      const isInStack = signingKeysInStack?.includes(builder.jwtBuilder) ?? true
      this.addTo(isInStack ? this : this.nestedStackOf(builder.jwtBuilder), builder, after)
    }
  }

  /** The nested stack depends on the name alone, so that no other jwtBuilder can move this one. */
  private nestedStackOf(jwtBuilder: string): NestedStack {
    const place = nestedStackIdOf(jwtBuilder)
    const description = `Signing keys of Tokenwell, stage ${this.props.stage}`
    const found = this.nestedStacks.get(place) ?? new NestedStack(this, place, { description })
    this.nestedStacks.set(place, found)
    return found
  }

  private addTo(
    scope: Construct,
    { jwtBuilder, rotationMilliseconds }: RotatedBuilder,
    after: readonly IDependable[],
  ): Secret {
    const { stage, rotateKey, encryptionKey, removalPolicy, signingKeyReplicas } = this.props
    const secret = new Secret(scope, jwtBuilder, {
      secretName: `${secretPrefix({ stage })}jwk/${jwtBuilder}`,
      description: `Signing keys that Tokenwell makes for the jwtBuilder ${jwtBuilder}, stage ${stage}`,
      secretStringValue: noKeys,
      removalPolicy: unlessRolledBack(removalPolicy ?? RemovalPolicy.RETAIN),
      ...(encryptionKey && { encryptionKey }),
      ...(signingKeyReplicas && { replicaRegions: signingKeyReplicas.map((region) => ({ region })) }),
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

/** One of 16. */
function nestedStackIdOf(jwtBuilder: string): string {
  return `Part${createHash('sha256').update(jwtBuilder).digest('hex').charAt(0).toUpperCase()}`
}

function checkPlaces(builders: readonly string[], inStack: readonly string[] | undefined): void {
  if (builders.length > mostOfAll)
    throw new Error(
      `${builders.length} jwtBuilders have jwkEnabled. CloudFormation can deploy the secrets of at most ${mostOfAll} in one stack. Divide the connections among several stages.`,
    )
  const unknown = inStack?.find((name) => !builders.includes(name))
  if (unknown !== undefined)
    throw new Error(
      `signingKeysInStack: ${JSON.stringify(unknown)} is not a jwtBuilder of the elements that has jwkEnabled. Take it out of the list.`,
    )
  const countInStack = (inStack ?? builders).length
  if (countInStack > mostInStack)
    throw new Error(
      `The secrets of ${countInStack} jwtBuilders with jwkEnabled are in the stack itself, which has room for ${mostInStack}. Set signingKeysInStack to the names of those that are already deployed there, or to [] for a new stage. The others are then in nested stacks.`,
    )
  checkNestedStacks(inStack ? builders.filter((each) => !inStack.includes(each)) : [])
}

function checkNestedStacks(builders: readonly string[]): void {
  for (const place of new Set(builders.map(nestedStackIdOf))) {
    const { length } = builders.filter((each) => nestedStackIdOf(each) === place)
    if (length > mostInNestedStack)
      throw new Error(
        `The nested stack ${place} would have the secrets of ${length} jwtBuilders, and has room for ${mostInNestedStack}. Give some of them other names.`,
      )
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
