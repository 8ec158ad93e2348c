import type { Stack } from 'aws-cdk-lib'
import { identityRoleName } from '../../lib/configuration/identity-role.ts'

/** IAM is global: the ARN is the same in all regions of a stage. */
export function identityRoleArn(stack: Stack, stage: string, connection?: string): string {
  const resourceName = identityRoleName(stage, connection)
  return stack.formatArn({ service: 'iam', region: '', resource: 'role', resourceName })
}
