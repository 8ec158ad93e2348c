import { CfnOutput, Stack } from 'aws-cdk-lib'
import type { EventBus } from 'aws-cdk-lib/aws-events'
import type { Construct } from 'constructs'
import { functionIds, functionTable } from './function-table.ts'
import type { HttpInterface } from './http-interface.ts'
import type { RefreshQueue } from './refresh-queue.ts'
import type { StageFunctions } from './stage-functions.ts'

/** How the outputs of a stage are named. */
export interface OutputSettings {
  /**
   * The beginning of each output's name, such as `Prod`. Two stages in one stack need it.
   * @default - no beginning
   */
  readonly prefix?: string
  /**
   * The beginning of the names under which CloudFormation exports the outputs, such as `tokenwell-prod-`.
   * @default - the outputs are not exported
   */
  readonly exportPrefix?: string
}

/** The parts of a stage that outputs tell of. */
interface DeployedStage extends Construct {
  readonly apiUrl: string
  readonly publicUrl: string
  readonly functions: StageFunctions
  readonly http: HttpInterface
  readonly events: EventBus
  readonly refreshes: RefreshQueue
}

interface Output {
  readonly value: string
  readonly description: string
}

/** What an operator needs to know of a deployed stage. */
export function addOutputs(tokenwell: DeployedStage, { prefix = '', exportPrefix }: OutputSettings): void {
  const stack = Stack.of(tokenwell)
  for (const [name, output] of Object.entries(outputsOf(tokenwell)))
    new CfnOutput(stack, `${prefix}${name}`, {
      ...output,
      ...(exportPrefix !== undefined && { exportName: `${exportPrefix}${name}` }),
    })
}

function outputsOf({ functions, http, events, refreshes, apiUrl, publicUrl }: DeployedStage): Record<string, Output> {
  const logs = functionIds.map((id) => {
    const { name, logOutput } = functionTable[id]
    return [logOutput, { value: functions[id].log.logGroupName, description: `The log group of ${name}` }] as const
  })
  return {
    ApiUrl: { value: apiUrl, description: 'The URL of the HTTP API itself' },
    FunctionName: {
      value: functions.issueToken.lambda.functionName,
      description: 'The name of issue-token, for callers that invoke it directly',
    },
    AccessLog: {
      value: http.log.logGroupName,
      description: 'The log group of the HTTP API, with a line for each call',
    },
    ...Object.fromEntries(logs),
    JwkSetUrl: {
      value: `${publicUrl}/jwt/<jwtBuilder>/jwk`,
      description: 'The URL of the JWK set of a jwtBuilder, with its name in place of <jwtBuilder>',
    },
    EventBusName: { value: events.eventBusName, description: 'The event bus of the stage' },
    DeadLetterQueueUrl: {
      value: refreshes.deadLetters.queueUrl,
      description: 'The queue of the events that failed',
    },
  }
}
