import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { secretPrefix } from '../../lib/configuration/surroundings.ts'

/* One function a grant. Beside them stands what CDK adds for active tracing: X-Ray's two actions. */

/** AWS lets the actions of X-Ray, and those that describe network interfaces, be allowed on everything only. */
export const noNarrowerResource = 'AWS has no narrower resource for these actions.'

/** A right of a function; where it ends in a wildcard, why. */
export interface FunctionGrant {
  readonly actions: string[]
  readonly resources: string[]
  readonly whyWildcard?: string
}

const whicheverThereAre =
  'All of the stage, and no others: which ones there are its operator says, after the deployment too.'

/** What is under a path is listed by the right to the path itself, too. */
export function mayReadElements(scope: Construct, stage: string): FunctionGrant[] {
  const under = (rest: string) =>
    Stack.of(scope).formatArn({ service: 'ssm', resource: 'parameter', resourceName: `tokenwell/${stage}${rest}` })
  return [
    { actions: ['ssm:GetParameters'], resources: [under('/*')], whyWildcard: whicheverThereAre },
    { actions: ['ssm:GetParametersByPath'], resources: [under(''), under('/*')], whyWildcard: whicheverThereAre },
  ]
}

/** All secrets of the stage: which ones there are the elements say. */
export function mayReadSecrets(scope: Construct, stage: string): FunctionGrant {
  const secrets = Stack.of(scope).formatArn({
    service: 'secretsmanager',
    resource: `secret:${secretPrefix({ stage })}*`,
  })
  return { actions: ['secretsmanager:GetSecretValue'], resources: [secrets], whyWildcard: whicheverThereAre }
}

export function mayUseTable({ tableArn }: { readonly tableArn: string }): FunctionGrant {
  return { actions: ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:PutItem'], resources: [tableArn] }
}

/** DynamoDB and Secrets Manager decrypt in the reader's name. */
export function mayDecrypt({ keyArn }: IKey): FunctionGrant {
  return { actions: ['kms:Decrypt'], resources: [keyArn] }
}

export function mayWriteLog({ logGroupArn }: ILogGroup): FunctionGrant {
  return { actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [logGroupArn] }
}

/** What Lambda itself does in the role's name to reach a VPC; AWS has resources for all but the two that describe. */
export function mayHaveNetworkInterfaces(scope: Construct): FunctionGrant[] {
  const anyOfEc2 = Stack.of(scope).formatArn({ service: 'ec2', resource: '*', resourceName: '*' })
  return [
    {
      actions: networkInterfaceActions,
      resources: [anyOfEc2],
      whyWildcard: "Lambda makes interfaces that have no name yet; the function's own code is denied it.",
    },
    { actions: describingActions, resources: ['*'], whyWildcard: noNarrowerResource },
  ]
}

/** Lambda may, the function's own code may not. */
export function mayNotUseNetworkInterfaces(functionArn: string): PolicyStatement {
  const statement = PolicyStatement.fromJson({
    Effect: 'Deny',
    Action: [...networkInterfaceActions, ...describingActions],
    Resource: '*',
  })
  statement.addCondition('ArnEquals', { 'lambda:SourceFunctionArn': functionArn })
  return statement
}

const networkInterfaceActions = [
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]
const describingActions = ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets']
