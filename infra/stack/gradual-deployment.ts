import type { IAlarm } from 'aws-cdk-lib/aws-cloudwatch'
import {
  type ILambdaDeploymentConfig,
  LambdaApplication,
  LambdaDeploymentConfig,
  LambdaDeploymentGroup,
} from 'aws-cdk-lib/aws-codedeploy'
import { Construct } from 'constructs'
import type { StageAlarms } from './alarms.ts'
import { constructIdOf } from './function-table.ts'
import type { StageFunctions } from './stage-functions.ts'
import { suppressNag } from './suppressions.ts'

export interface GradualDeploymentSettings {
  /**
   * The steps, and the time between them.
   * @default LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES
   */
  readonly config?: ILambdaDeploymentConfig
}

interface GradualDeploymentProps extends GradualDeploymentSettings {
  readonly functions: StageFunctions
  readonly alarms: StageAlarms
}

/**
 * CodeDeploy moves `_live` of the functions that callers use to a new version step by step. If an alarm of the function or of the HTTP
 * API goes off, it moves back, and CloudFormation rolls the update back.
 */
export class GradualDeployment extends Construct {
  constructor(scope: Construct, id: string, { config, functions, alarms }: GradualDeploymentProps) {
    super(scope, id)
    const application = new LambdaApplication(this, 'Application')
    for (const functionId of ['issueToken', 'callApi'] as const) {
      const group = new LambdaDeploymentGroup(this, constructIdOf(functionId), {
        application,
        alias: functions[functionId].alias,
        alarms: rollbackAlarms(alarms, functionId),
        deploymentConfig: config ?? LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
      })
      suppressNag(group.role, {
        'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited]':
          "It is AWS's own policy for this use. CodeDeploy may only move aliases, read alarms and notify topics.",
      })
    }
  }
}

/** @throws {Error} if none is left that could roll a bad version back */
function rollbackAlarms(alarms: StageAlarms, functionId: 'issueToken' | 'callApi'): IAlarm[] {
  const names = [`${functionId}Errors`, 'apiServerErrors'] as const
  const found = names.flatMap((name) => alarms[name] ?? [])
  if (found.length > 0) return found
  throw new Error(
    `gradualDeployment needs an alarm that rolls a bad version back, but alarmSettings leaves out ${names.join(' and ')}. Keep one of them.`,
  )
}
