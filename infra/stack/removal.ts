import { RemovalPolicy } from 'aws-cdk-lib'

/**
 * The policy of a resource that stays when the stack is deleted. It does not stay if the deployment that creates it is rolled back. So
 * that deployment can be repeated, although the resource has a fixed name.
 */
export function unlessRolledBack(policy: RemovalPolicy): RemovalPolicy {
  return policy === RemovalPolicy.RETAIN ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : policy
}
