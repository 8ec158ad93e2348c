import type { Stack } from 'aws-cdk-lib'
import type { EventBus } from 'aws-cdk-lib/aws-events'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { publishedKeysRecordName, recordNameText, secretsVersionRecordName } from '../../lib/fleet/record-store.ts'

/* One function for each grant. The CDK itself adds the two actions of X-Ray for active tracing. */

/** AWS allows the actions of X-Ray, and those that describe network interfaces, on all resources only. */
export const noNarrowerResource = 'AWS has no narrower resource for these actions.'

/** A right of a function, or of the schedule that starts one. */
export interface FunctionGrant {
  readonly actions: string[]
  readonly resources: string[]
  /** The reason for a resource that ends in a wildcard. */
  readonly whyWildcard?: string
  /** Which of the records of a table it is for; without it, all. */
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

const whicheverThereAre =
  'All of the stage, and no others: which ones there are its operator says, after the deployment too.'

/** By their names. */
export function mayReadElements(stack: Stack, stage: string): FunctionGrant {
  return {
    actions: ['ssm:GetParameters'],
    resources: [parameterArn(stack, stage, '/*')],
    whyWildcard: whicheverThereAre,
  }
}

/** To list what is under a path, a function needs the right to the path itself, too. */
export function mayListElements(stack: Stack, stage: string): FunctionGrant {
  return {
    actions: ['ssm:GetParametersByPath'],
    resources: [parameterArn(stack, stage, ''), parameterArn(stack, stage, '/*')],
    whyWildcard: whicheverThereAre,
  }
}

function parameterArn(stack: Stack, stage: string, rest: string): string {
  return stack.formatArn({
    service: 'ssm',
    resource: 'parameter',
    resourceName: `tokenwell/${stage}${rest}`,
  })
}

/** All secrets of the stage, because the elements decide which ones there are. */
export function mayReadSecretsOfStage(stack: Stack, stage: string): FunctionGrant {
  const secrets = stack.formatArn({
    service: 'secretsmanager',
    resource: `secret:${secretPrefix({ stage })}*`,
  })
  return { actions: ['secretsmanager:GetSecretValue'], resources: [secrets], whyWildcard: whicheverThereAre }
}

/** One secret. Its ARN has the letters that AWS adds to the name. */
export function mayReadSecret({ secretArn }: { readonly secretArn: string }): FunctionGrant {
  return { actions: ['secretsmanager:GetSecretValue'], resources: [secretArn] }
}

/** What the four steps of a rotation do with the secrets of the keys that Tokenwell makes. */
export function mayRotateSigningKeys(stack: Stack, stage: string): FunctionGrant {
  const secrets = stack.formatArn({
    service: 'secretsmanager',
    resource: `secret:${secretPrefix({ stage })}jwk/*`,
  })
  const actions = ['DescribeSecret', 'GetSecretValue', 'PutSecretValue', 'UpdateSecretVersionStage']
  return {
    actions: actions.map((each) => `secretsmanager:${each}`),
    resources: [secrets],
    whyWildcard: whicheverThereAre,
  }
}

interface TheTable {
  readonly tableArn: string
}

/** Records of published keys by their names, one at a time. */
export function mayReadPublishedKeys({ tableArn }: TheTable): FunctionGrant {
  return { actions: ['dynamodb:GetItem'], resources: [tableArn], conditions: publishedKeysAlone }
}

/** The same, and to write one. */
export function mayChangePublishedKeys({ tableArn }: TheTable): FunctionGrant {
  return { actions: ['dynamodb:GetItem', 'dynamodb:PutItem'], resources: [tableArn], conditions: publishedKeysAlone }
}

/** Which keys were revoked: that record alone. */
export function mayReadRevokedKeys({ tableArn }: TheTable): FunctionGrant {
  return { actions: ['dynamodb:GetItem'], resources: [tableArn], conditions: revokedKeysAlone }
}

/** All records, for a function that publishes keys. */
export function mayUseTable({ tableArn }: TheTable): FunctionGrant {
  return { actions: tableActions, resources: [tableArn] }
}

/** All records but those of published keys. */
export function mayUseTableButPublishedKeys({ tableArn }: TheTable): FunctionGrant {
  return { actions: tableActions, resources: [tableArn], conditions: allButPublishedKeys }
}

const tableActions = ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:PutItem']
/** The names of their records; a connection may be called `keys`, and its records are others. */
const publishedKeys = { 'dynamodb:LeadingKeys': [recordNameText(publishedKeysRecordName('*'))] }
/** `ForAllValues` holds where there is no value at all. */
const keysAreNamed = { 'dynamodb:LeadingKeys': 'false' }
const publishedKeysAlone = { 'ForAllValues:StringLike': publishedKeys, Null: keysAreNamed }
const revokedKeys = { 'dynamodb:LeadingKeys': [recordNameText(secretsVersionRecordName)] }
const revokedKeysAlone = { 'ForAllValues:StringLike': revokedKeys, Null: keysAreNamed }
const allButPublishedKeys = { 'ForAllValues:StringNotLike': publishedKeys, Null: keysAreNamed }

/** For a function that publishes keys: it verifies what is published, too. */
export function maySignPublications({ keyArn }: IKey): FunctionGrant {
  return { actions: ['kms:Sign', 'kms:GetPublicKey'], resources: [keyArn] }
}

export function mayVerifyPublications({ keyArn }: IKey): FunctionGrant {
  return { actions: ['kms:GetPublicKey'], resources: [keyArn] }
}

/** The names of records by the time at which they are due, and nothing else of these records. */
export function mayFindDue({ tableArn }: { readonly tableArn: string }): FunctionGrant {
  return { actions: ['dynamodb:Query'], resources: [`${tableArn}/index/due`] }
}

export function mayPutEvents({ eventBusArn }: EventBus): FunctionGrant {
  return { actions: ['events:PutEvents'], resources: [eventBusArn] }
}

/** Lambda uses these rights of the function to bring it messages, and to delete messages that are done. */
export function mayReceiveMessages({ queueArn }: IQueue): FunctionGrant {
  return { actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], resources: [queueArn] }
}

export function maySendMessages({ queueArn }: IQueue): FunctionGrant {
  return { actions: ['sqs:SendMessage'], resources: [queueArn] }
}

export function mayInvoke({ functionArn }: IFunction): FunctionGrant {
  return { actions: ['lambda:InvokeFunction'], resources: [functionArn] }
}

/** Secrets Manager encrypts with the rights of the writer. */
export function mayEncrypt({ keyArn }: IKey): FunctionGrant {
  return { actions: ['kms:GenerateDataKey'], resources: [keyArn] }
}

/** DynamoDB and Secrets Manager decrypt with the rights of the reader. */
export function mayDecrypt({ keyArn }: IKey): FunctionGrant {
  return { actions: ['kms:Decrypt'], resources: [keyArn] }
}

export function mayWriteLog({ logGroupArn }: ILogGroup): FunctionGrant {
  return { actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [logGroupArn] }
}

/** Lambda itself needs these rights to place a function in a VPC. AWS has no resource for the two actions that describe. */
export function mayHaveNetworkInterfaces(stack: Stack): FunctionGrant[] {
  const anyOfEc2 = stack.formatArn({ service: 'ec2', resource: '*', resourceName: '*' })
  return [
    {
      actions: networkInterfaceActions,
      resources: [anyOfEc2],
      whyWildcard: "Lambda makes interfaces that have no name yet; the function's own code is denied it.",
    },
    { actions: describingActions, resources: ['*'], whyWildcard: noNarrowerResource },
  ]
}

/** The statement of a policy, as IAM writes it: Lambda may do this in the name of the function, the function's own code may not. */
export function mayNotUseNetworkInterfaces(functionArn: string): object {
  return {
    Effect: 'Deny',
    Action: [...networkInterfaceActions, ...describingActions],
    Resource: '*',
    Condition: { ArnEquals: { 'lambda:SourceFunctionArn': functionArn } },
  }
}

const networkInterfaceActions = [
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]
const describingActions = ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets']
