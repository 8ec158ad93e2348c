import { PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { identityTags } from '../../lib/configuration/identity-role.ts'
import type { WebIdentity } from './web-identities.ts'

export interface IdentityPolicyProps {
  readonly stage: string
  /** Undefined for the role of the stage. */
  readonly connection: string | undefined
  readonly identities: readonly WebIdentity[]
}

/** The maximum of IAM for all policies within a role. */
const mostCharacters = 10_240
/** As in lib/configuration/resolve-web-identity.ts. */
const defaults = { signingAlgorithm: 'ES384', durationSeconds: 300 } as const

/**
 * What a role may ask AWS STS for: identity tokens with the audiences, the algorithm and at most the duration of its elements, and with the tags
 * of its stage. `ForAllValues` is also true if there is no value at all, so each condition requires one.
 * @throws {Error} if it is too long for IAM
 */
export function identityPolicy(role: string, { stage, connection, identities }: IdentityPolicyProps): PolicyDocument {
  const bySettings = Map.groupBy(identities, (identity) => {
    const { signingAlgorithm, durationSeconds } = { ...defaults, ...identity }
    return `${signingAlgorithm} ${durationSeconds}`
  })
  const statements = [...bySettings.values()].map((alike) => mayGetTokens(alike))
  const document = new PolicyDocument({ statements: [...statements, mayTagTokens(stage, connection, identities)] })
  const { length } = JSON.stringify(document.toJSON())
  if (length > mostCharacters)
    throw new Error(
      `The policy of the role ${role} would have ${length} characters, and IAM allows ${mostCharacters}: the audiences are too many or too long. Set the role of some awsWebIdentity to connection, or divide the connections among several stages.`,
    )
  return document
}

/** @param alike identities with one algorithm and one duration */
function mayGetTokens(alike: readonly WebIdentity[]): PolicyStatement {
  const { signingAlgorithm, durationSeconds } = { ...defaults, ...alike[0] }
  const audiences = [...new Set(alike.flatMap(({ audience }) => audience))]
  return new PolicyStatement({
    actions: ['sts:GetWebIdentityToken'],
    resources: ['*'],
    conditions: {
      'ForAllValues:StringEquals': { 'sts:IdentityTokenAudience': audiences },
      Null: { 'sts:IdentityTokenAudience': 'false' },
      StringEquals: { 'sts:SigningAlgorithm': signingAlgorithm },
      NumericLessThanEquals: { 'sts:DurationSeconds': durationSeconds },
    },
  })
}

function mayTagTokens(stage: string, connection: string | undefined, identities: readonly WebIdentity[]) {
  const names = new Set([...Object.values(identityTags), ...identities.flatMap(({ tagNames = [] }) => tagNames)])
  return new PolicyStatement({
    actions: ['sts:TagGetWebIdentityToken'],
    resources: ['*'],
    conditions: {
      StringEquals: {
        [`aws:RequestTag/${identityTags.stage}`]: stage,
        ...(connection !== undefined && { [`aws:RequestTag/${identityTags.connection}`]: connection }),
      },
      'ForAllValues:StringEquals': { 'aws:TagKeys': [...names] },
      Null: { 'aws:TagKeys': 'false' },
    },
  })
}
