import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { secretPrefix } from '../../lib/configuration/surroundings.ts'

/* One function a grant. Beside them stands what active tracing needs: X-Ray's two actions, for which AWS has no resource. */

/** What is under a path is listed by the right to the path itself, too. */
export function mayReadElements(scope: Construct, stage: string): PolicyStatement[] {
  const under = (rest: string) =>
    Stack.of(scope).formatArn({ service: 'ssm', resource: 'parameter', resourceName: `tokenwell/${stage}${rest}` })
  return [allow(['ssm:GetParameters'], [under('/*')]), allow(['ssm:GetParametersByPath'], [under(''), under('/*')])]
}

/** All secrets of the stage: which ones there are the elements say. */
export function mayReadSecrets(scope: Construct, stage: string): PolicyStatement {
  const secrets = Stack.of(scope).formatArn({
    service: 'secretsmanager',
    resource: `secret:${secretPrefix({ stage })}*`,
  })
  return allow(['secretsmanager:GetSecretValue'], [secrets])
}

export function mayUseTable({ tableArn }: { readonly tableArn: string }): PolicyStatement {
  return allow(['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:PutItem'], [tableArn])
}

/** DynamoDB and Secrets Manager decrypt in the reader's name. */
export function mayDecrypt({ keyArn }: IKey): PolicyStatement {
  return allow(['kms:Decrypt'], [keyArn])
}

export function mayWriteLog({ logGroupArn }: ILogGroup): PolicyStatement {
  return allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroupArn])
}

/** What Lambda itself does in the role's name to reach a VPC; AWS has resources for all but the two that describe. */
export function mayHaveNetworkInterfaces(scope: Construct): PolicyStatement[] {
  const anyOfEc2 = Stack.of(scope).formatArn({ service: 'ec2', resource: '*', resourceName: '*' })
  return [
    allow(networkInterfaceActions, [anyOfEc2]),
    allow(['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets'], ['*']),
  ]
}

/** Lambda may, the function's own code may not. */
export function mayNotUseNetworkInterfaces(functionArn: string): PolicyStatement {
  const statement = PolicyStatement.fromJson({
    Effect: 'Deny',
    Action: [...networkInterfaceActions, 'ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets'],
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

function allow(actions: string[], resources: string[]): PolicyStatement {
  return new PolicyStatement({ actions, resources })
}
