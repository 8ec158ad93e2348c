import { CfnOutput, type Stack } from 'aws-cdk-lib'
import { functionIds, functionTable } from './function-table.ts'
import type { Tokenwell } from './tokenwell.ts'

/** What an operator needs to know of a deployed stage. */
export function addOutputs(stack: Stack, publicUrl: string, { functions, http, events, refreshes }: Tokenwell): void {
  const logs = functionIds.map((id) => [functionTable[id].logOutput, functions[id].log.logGroupName] as const)
  const { FunctionLog = '', ...otherLogs }: Record<string, string> = Object.fromEntries(logs)
  const outputs = {
    ApiUrl: http.api.apiEndpoint,
    FunctionName: functions.issueToken.lambda.functionName,
    FunctionLog,
    AccessLog: http.log.logGroupName,
    ...otherLogs,
    JwkSetUrl: `${publicUrl}/jwt/<jwtBuilder>/jwk`,
    EventBusName: events.eventBusName,
    DeadLetterQueueUrl: refreshes.deadLetters.queueUrl,
  }
  for (const [name, value] of Object.entries(outputs)) new CfnOutput(stack, name, { value })
}
