import { Stack } from 'aws-cdk-lib'
import { Trigger } from 'aws-cdk-lib/triggers'
import { Construct, type IConstruct } from 'constructs'
import type { StageFunctions } from './stage-functions.ts'
import { suppressCfnLint, suppressCheckov } from './suppressions.ts'

export interface SignedBeforeShownProps {
  readonly functions: StageFunctions
  /** Constructs that must be deployed before keys can be published. */
  readonly after: readonly Construct[]
}

/**
 * Invokes `refresh-token` to sign the publications in each deployment that changes that function. This happens after the functions
 * that publish are deployed, and before `publish-keys`, which serves only signed publications. So no JWK set is missing after an
 * upgrade from version 0.1 or after the key is replaced. If signing fails, the deployment fails and `publish-keys` stays as it was.
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
const saidTwice = 'The CDK adds a dependency that is already implied.'
const ofTheCdk = 'The CDK provides this function. It runs only during a deployment, and may invoke only refresh-token.'

/** CloudFormation invokes `refresh-token` through a function of the CDK. A stack has one such function. */
function suppressFindingsOfProvider(provider: IConstruct): void {
  const handler = provider.node.findChild('Handler')
  suppressCfnLint(handler, { W3005: saidTwice })
  const rules = ['CKV_AWS_115', 'CKV_AWS_116', 'CKV_AWS_117', 'CKV_AWS_173', 'CKV_AWS_272']
  suppressCheckov(handler, Object.fromEntries(rules.map((rule) => [rule, ofTheCdk])))
}
