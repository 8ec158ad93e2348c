import { Stack } from 'aws-cdk-lib'
import { Trigger } from 'aws-cdk-lib/triggers'
import { Construct, type IConstruct } from 'constructs'
import type { StageFunctions } from './stage-functions.ts'
import { suppressCfnLint, suppressCheckov } from './suppressions.ts'

export interface SignedBeforeShownProps {
  readonly functions: StageFunctions
  /** What must be deployed before keys can be published. */
  readonly after: readonly Construct[]
}

/**
 * Has `refresh-token` sign what is published in each deployment that changes it: after the functions that publish, and before
 * `publish-keys`, which shows nothing unsigned. So no JWK set is missing when a deployment of version 0.1 is updated, or when the key
 * is replaced; where it can't be done the deployment fails, and `publish-keys` stays as it was.
 */
export class SignedBeforeShown extends Construct {
  constructor(scope: Construct, id: string, { functions, after }: SignedBeforeShownProps) {
    super(scope, id)
    const { refreshToken, warmTokens, rotateKey, publishKeys } = functions
    const trigger = new Trigger(this, 'Trigger', { handler: refreshToken.lambda })
    trigger.executeAfter(refreshToken, warmTokens, rotateKey, ...after)
    trigger.executeBefore(publishKeys.lambda)
    suppressCfnLint(trigger.node.findChild('Default'), { W3005: saidTwice })
    suppressFindingsOfProvider(Stack.of(this).node.findChild(providerId))
  }
}

const providerId = 'AWSCDK.TriggerCustomResourceProviderCustomResourceProvider'
const saidTwice = 'CDK says twice what comes before.'
const ofTheCdk = "It is the CDK's own, runs during a deployment alone, and may invoke refresh-token and nothing else."

/** The function by which CloudFormation invokes ours is the CDK's, one of its kind in a stack. */
function suppressFindingsOfProvider(provider: IConstruct): void {
  const handler = provider.node.findChild('Handler')
  suppressCfnLint(handler, { W3005: saidTwice })
  const rules = ['CKV_AWS_115', 'CKV_AWS_116', 'CKV_AWS_117', 'CKV_AWS_173', 'CKV_AWS_272']
  suppressCheckov(handler, Object.fromEntries(rules.map((rule) => [rule, ofTheCdk])))
}
