import type { Stack } from 'aws-cdk-lib'
import type { EventBus } from 'aws-cdk-lib/aws-events'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { publishedKeysRecordName, recordNameText, secretsVersionRecordName } from '../../lib/fleet/record-store.ts'

/* One function for each grant. The CDK adds the two X-Ray actions for active tracing itself. */

/** AWS supports the X-Ray actions, and the actions that describe network interfaces, on all resources only. */
export const noNarrowerResource = 'AWS supports no narrower resource for these actions.'

/** A right of a function, or of the schedule that starts one. */
export interface FunctionGrant {
  readonly actions: string[]
  readonly resources: string[]
  /** The reason for a resource with a wildcard. */
  readonly whyWildcard?: string
  /** Limits the right to some records of a table. */
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

const whicheverThereAre = 'All of this stage and no others. The operator can add more after the deployment.'

/** Reads elements by name. */
export function mayReadElements(stack: Stack, stage: string): FunctionGrant {
  return {
    actions: ['ssm:GetParameters'],
    resources: [parameterArn(stack, stage, '/*')],
    whyWildcard: whicheverThereAre,
  }
}

/** To list the parameters under a path, a function also needs the right to the path itself. */
export function mayListElements(stack: Stack, stage: string): FunctionGrant {
  return {
    actions: ['ssm:GetParametersByPath'],
    resources: [parameterArn(stack, stage, ''), parameterArn(stack, stage, '/*')],
    whyWildcard: whicheverThereAre,
  }
}

/** Creates, overwrites and deletes elements. */
export function mayWriteElements(stack: Stack, stage: string): FunctionGrant {
  return {
    actions: ['ssm:PutParameter', 'ssm:DeleteParameters'],
    resources: [parameterArn(stack, stage, '/*')],
    whyWildcard: whicheverThereAre,
  }
}

/** Reads the files of elements that deployments upload. */
export function mayReadFiles(assets: IBucket): FunctionGrant {
  return {
    actions: ['s3:GetObject'],
    resources: [assets.arnForObjects('*.json')],
    whyWildcard: 'The name of the file is a hash of its content, and a rollback needs the file of the last deployment.',
  }
}

function parameterArn(stack: Stack, stage: string, rest: string): string {
  return stack.formatArn({
    service: 'ssm',
    resource: 'parameter',
    resourceName: `tokenwell/${stage}${rest}`,
  })
}

/** All secrets of the stage, because the elements decide which secrets there are. */
export function mayReadSecretsOfStage(stack: Stack, stage: string): FunctionGrant {
  const secrets = stack.formatArn({
    service: 'secretsmanager',
    resource: `secret:${secretPrefix({ stage })}*`,
  })
  return { actions: ['secretsmanager:GetSecretValue'], resources: [secrets], whyWildcard: whicheverThereAre }
}

/** One secret. Its ARN includes the letters that AWS adds to the name. */
export function mayReadSecret({ secretArn }: { readonly secretArn: string }): FunctionGrant {
  return { actions: ['secretsmanager:GetSecretValue'], resources: [secretArn] }
}

/** The actions of the four rotation steps, on the secrets of the keys that Tokenwell makes. */
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

/** Reads records of published keys by name, one at a time. */
export function mayReadPublishedKeys({ tableArn }: TheTable): FunctionGrant {
  return { actions: ['dynamodb:GetItem'], resources: [tableArn], conditions: publishedKeysAlone }
}

/** Reads and writes records of published keys, one at a time. */
export function mayChangePublishedKeys({ tableArn }: TheTable): FunctionGrant {
  return { actions: ['dynamodb:GetItem', 'dynamodb:PutItem'], resources: [tableArn], conditions: publishedKeysAlone }
}

/** Reads the one record that lists the revoked keys. */
export function mayReadRevokedKeys({ tableArn }: TheTable): FunctionGrant {
  return { actions: ['dynamodb:GetItem'], resources: [tableArn], conditions: revokedKeysAlone }
}

/** All records, for a function that publishes keys. */
export function mayUseTable({ tableArn }: TheTable): FunctionGrant {
  return { actions: tableActions, resources: [tableArn] }
}

/** All records except those of published keys. */
export function mayUseTableButPublishedKeys({ tableArn }: TheTable): FunctionGrant {
  return { actions: tableActions, resources: [tableArn], conditions: allButPublishedKeys }
}

const tableActions = ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:PutItem']
/** The names of the records of published keys. The records of a connection named `keys` have other names. */
const publishedKeys = { 'dynamodb:LeadingKeys': [recordNameText(publishedKeysRecordName('*'))] }
/** `ForAllValues` is also true if there is no value at all, so this condition requires one. */
const keysAreNamed = { 'dynamodb:LeadingKeys': 'false' }
const publishedKeysAlone = { 'ForAllValues:StringLike': publishedKeys, Null: keysAreNamed }
const revokedKeys = { 'dynamodb:LeadingKeys': [recordNameText(secretsVersionRecordName)] }
const revokedKeysAlone = { 'ForAllValues:StringLike': revokedKeys, Null: keysAreNamed }
const allButPublishedKeys = { 'ForAllValues:StringNotLike': publishedKeys, Null: keysAreNamed }

/** For a function that publishes keys. It also verifies published keys. */
export function maySignPublications({ keyArn }: IKey): FunctionGrant {
  return { actions: ['kms:Sign', 'kms:GetPublicKey'], resources: [keyArn] }
}

export function mayVerifyPublications({ keyArn }: IKey): FunctionGrant {
  return { actions: ['kms:GetPublicKey'], resources: [keyArn] }
}

/**
 * Signs with the KMS keys that have one of these aliases, and reads their public keys. The alias may be moved: a signing function names the key
 * by its ARN, and a statement that names the alias as its resource would be about the alias itself. So the condition names the aliases.
 */
export function maySignWithKmsKeys(stack: Stack, aliases: readonly string[]): FunctionGrant[] {
  const keys = stack.formatArn({ service: 'kms', resource: 'key', resourceName: '*' })
  return groupedBySize(aliases).map((group) => ({
    actions: ['kms:Sign', 'kms:GetPublicKey'],
    resources: [keys],
    whyWildcard: 'The condition names the aliases of the keys. An alias can get another key after the deployment.',
    conditions: { [operatorFor(group)]: { 'kms:ResourceAliases': group } },
  }))
}

function operatorFor(aliases: readonly string[]): string {
  return aliases.some((alias) => alias.includes('*')) ? 'ForAnyValue:StringLike' : 'ForAnyValue:StringEquals'
}

/** Assumes roles by name, and no others. */
export function mayAssume(roleArns: readonly string[]): FunctionGrant[] {
  return groupedBySize(roleArns).map((resources) => ({ actions: ['sts:AssumeRole'], resources }))
}

/** The size at which another statement begins. The CDK moves whole statements to a second policy if they are too long for one. */
const statementCharacters = 3_000

function groupedBySize(values: readonly string[]): string[][] {
  const groups: string[][] = []
  let length = Infinity
  for (const value of values) {
    length += value.length
    if (length > statementCharacters) {
      groups.push([])
      length = value.length
    }
    groups.at(-1)?.push(value)
  }
  return groups
}

/** Reads the names of records by the time at which they are due, and nothing else in these records. */
export function mayFindDue({ tableArn }: { readonly tableArn: string }): FunctionGrant {
  return { actions: ['dynamodb:Query'], resources: [`${tableArn}/index/due`] }
}

export function mayPutEvents({ eventBusArn }: EventBus): FunctionGrant {
  return { actions: ['events:PutEvents'], resources: [eventBusArn] }
}

/** Lambda uses these rights of the function to fetch messages for it and to delete handled messages. */
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

/** Lambda itself needs these rights to place a function in a VPC. AWS supports no resource for the two describing actions. */
export function mayHaveNetworkInterfaces(stack: Stack): FunctionGrant[] {
  const anyOfEc2 = stack.formatArn({ service: 'ec2', resource: '*', resourceName: '*' })
  return [
    {
      actions: networkInterfaceActions,
      resources: [anyOfEc2],
      whyWildcard: "Lambda creates interfaces that have no name yet. The function's own code is denied these actions.",
    },
    { actions: describingActions, resources: ['*'], whyWildcard: noNarrowerResource },
  ]
}

/** A policy statement in IAM's JSON form: Lambda may use network interfaces on behalf of the function, the function's own code may not. */
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
