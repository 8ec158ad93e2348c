import { Stack } from 'aws-cdk-lib'
import { Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { commonEnvironment } from './function-table.ts'
import { mayInvoke, mayListElements, mayPutEvents, mayReadFiles, mayWriteElements } from './grants.ts'
import type { LogSettings } from './retained-log.ts'
import type { StageResources } from './stage-resources.ts'
import { TokenFunction } from './token-function.ts'

export interface PutElementsProps {
  readonly resources: StageResources
  readonly logs: LogSettings
  /** The bucket to which the CDK uploads the elements. */
  readonly assets: IBucket
}

/** The maximum of Lambda. After it the function continues in another run. */
const timeoutSeconds = 900
const memoryMegabytes = 512

/**
 * The function that writes the elements of a stage during a deployment. It exists only if the stack has elements, and no other
 * function may write parameters. It is in no VPC, because it reaches only AWS.
 */
export class PutElements extends Construct {
  readonly arn: string
  /** The right to continue in another run. The function does not depend on it by itself. */
  readonly continuation: Policy

  constructor(scope: Construct, id: string, { resources, logs, assets }: PutElementsProps) {
    super(scope, id)
    const { stage, bus } = resources
    const stack = Stack.of(this)
    const { lambda } = new TokenFunction(this, 'Elements', {
      ...logs,
      name: 'put-elements',
      description: `Tokenwell: writes the elements of the stage ${stage} during a deployment`,
      environment: commonEnvironment(resources),
      grants: [mayListElements(stack, stage), mayWriteElements(stack, stage), mayReadFiles(assets), mayPutEvents(bus)],
      memoryMegabytes,
      timeoutSeconds,
      telemetry: resources.telemetry,
      whyNoDeadLetters: 'CloudFormation waits for its answer, and the deployment fails without one.',
    })
    this.arn = lambda.functionArn
    // The statement names the function, which is created after the policy of its role. So it needs a separate policy.
    const statements = [new PolicyStatement(mayInvoke(lambda))]
    this.continuation = new Policy(this, 'Continuation', { roles: lambda.role ? [lambda.role] : [], statements })
  }
}
