import { Token, TokenComparison } from 'aws-cdk-lib'
import { Grant, type IGrantable, type IPrincipal } from 'aws-cdk-lib/aws-iam'

export interface PolicyGrant {
  readonly grantee: IGrantable
  readonly actions: string[]
  readonly resourceArns: string[]
  /** The account of the stage. */
  readonly account: string
  /** A sentence that says how a principal of another account, or one without a policy, gets the right. */
  readonly otherWay: string
}

/**
 * Adds a right to the policy of the grantee.
 * @throws {Error} if the right would have no effect. The CDK itself drops such a grant without a word.
 */
export function grantByPolicy({ grantee, actions, resourceArns, account, otherWay }: PolicyGrant): Grant {
  const { grantPrincipal: principal } = grantee
  const { principalAccount } = principal
  if (principalAccount !== undefined && Token.compareStrings(principalAccount, account) === TokenComparison.DIFFERENT)
    throw new Error(
      `The grant would have no effect: ${String(principal)} is in the account ${principalAccount}, and the stage is in ${account}. ${otherWay}`,
    )
  if (isImmutableRole(principal))
    throw new Error(
      `The grant would have no effect: ${String(principal)} is a role whose policies this app does not change. Import it with mutable: true, or add the policy to the role yourself and leave out the grant.`,
    )
  const grant = Grant.addToPrincipal({ grantee, actions, resourceArns })
  if (!grant.success)
    throw new Error(
      `The grant would have no effect: ${String(principal)} has no policy that could contain it. ${otherWay}`,
    )
  return grant
}

/** It takes each statement and drops it. The CDK does not export the class. */
function isImmutableRole(principal: IPrincipal): boolean {
  return Reflect.get(principal.constructor, 'PROPERTY_INJECTION_ID') === 'aws-cdk-lib.aws-iam.ImmutableRole'
}
