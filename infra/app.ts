import { App, CfnOutput, Stack } from 'aws-cdk-lib'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { Tokenwell } from './stack/tokenwell.ts'

/*
 * The stack of one stage. What it is told comes from the CDK's context (`-c stage=prod`) or from the environment:
 *   stage / TOKENWELL_STAGE · publicUrl / TOKENWELL_PUBLIC_URL · elements / TOKENWELL_ELEMENTS (a folder or file) ·
 *   alarmTopicArn / TOKENWELL_ALARM_TOPIC_ARN
 */
const app = new App({ outdir: process.env['CDK_OUTDIR'] ?? 'cdk.out', analyticsReporting: false })
const stage = demand('stage', 'TOKENWELL_STAGE')
const publicUrl = demand('publicUrl', 'TOKENWELL_PUBLIC_URL')
const elements = told('elements', 'TOKENWELL_ELEMENTS')
const alarmTopicArn = told('alarmTopicArn', 'TOKENWELL_ALARM_TOPIC_ARN')

const stack = new Stack(app, `Tokenwell-${stage}`, { description: `Tokenwell, stage ${stage}` })
const tokenwell = new Tokenwell(stack, 'Tokens', {
  stage,
  publicUrl,
  ...(elements && { elements }),
  ...(alarmTopicArn && { alarms: Topic.fromTopicArn(stack, 'AlarmTopic', alarmTopicArn) }),
})
const { functions, http, events, refreshes } = tokenwell
const outputs = {
  ApiUrl: http.api.apiEndpoint,
  FunctionName: functions.issueToken.lambda.functionName,
  FunctionLog: functions.issueToken.log.logGroupName,
  AccessLog: http.log.logGroupName,
  CallApiLog: functions.callApi.log.logGroupName,
  WarmTokensLog: functions.warmTokens.log.logGroupName,
  RefreshTokenLog: functions.refreshToken.log.logGroupName,
  PublishKeysLog: functions.publishKeys.log.logGroupName,
  RotateKeyLog: functions.rotateKey.log.logGroupName,
  JwkSetUrl: `${publicUrl}/jwt/<jwtBuilder>/jwk`,
  EventBusName: events.eventBusName,
  DeadLetterQueueUrl: refreshes.deadLetters.queueUrl,
}
for (const [name, value] of Object.entries(outputs)) new CfnOutput(stack, name, { value })
app.synth()

function told(name: string, variable: string): string | undefined {
  const value: unknown = app.node.tryGetContext(name) ?? process.env[variable]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function demand(name: string, variable: string): string {
  const value = told(name, variable)
  if (value !== undefined) return value
  console.error(`Say the ${name}: -c ${name}=..., or ${variable}=... in the environment.`)
  process.exit(1)
}
