import { Duration, Stack } from 'aws-cdk-lib'
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  type FunctionProps,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
  Tracing,
} from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { codeOf } from './function-code.ts'
import type { FunctionFolder } from './function-table.ts'
import {
  type FunctionGrant,
  mayHaveNetworkInterfaces,
  mayNotUseNetworkInterfaces,
  mayWriteLog,
  noNarrowerResource,
} from './grants.ts'
import type { FunctionNetwork } from './network.ts'
import { type LogSettings, RetainedLog } from './retained-log.ts'
import { suppressCfnLint, suppressCheckov, suppressNag, suppressWildcard } from './suppressions.ts'
import type { TelemetrySettings } from './telemetry.ts'

export interface TokenFunctionProps extends LogSettings {
  /** The folder under `functions`. */
  readonly name: FunctionFolder
  readonly description: string
  readonly environment: Readonly<Record<string, string>>
  readonly grants: readonly FunctionGrant[]
  readonly timeoutSeconds: number
  readonly memoryMegabytes: number
  readonly network?: FunctionNetwork
  readonly reservedConcurrency?: number
  readonly telemetry: TelemetrySettings
  /** What happens after a failed call, and why Lambda does not need a dead-letter queue for it. */
  readonly whyNoDeadLetters: string
}

/** A Lambda function with its role and log. The role has the grants, the right to write its log and traces, and no policy managed by AWS. */
export class TokenFunction extends Construct {
  readonly lambda: LambdaFunction
  readonly role: Role
  readonly log: RetainedLog

  constructor(scope: Construct, id: string, props: TokenFunctionProps) {
    super(scope, id)
    const { name, description, environment, grants, timeoutSeconds, memoryMegabytes, network } = props
    const { reservedConcurrency, telemetry } = props
    const { tracing = true, platformLogLevel = 'warn' } = telemetry
    this.log = new RetainedLog(this, 'Log', props)
    const interfaces = network ? mayHaveNetworkInterfaces(Stack.of(this)) : []
    const role = this.createRole([...grants, mayWriteLog(this.log), ...interfaces], tracing)
    this.role = role
    this.lambda = new LambdaFunction(this, 'Function', {
      description,
      role,
      environment: { ...environment },
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: codeOf(name),
      handler: 'index.handler',
      memorySize: memoryMegabytes,
      timeout: Duration.seconds(timeoutSeconds),
      tracing: tracing ? Tracing.ACTIVE : Tracing.DISABLED,
      logGroup: this.log,
      // With JSON, Lambda has a level for its own lines. It would take lines of metrics for lines of the level INFO, so the function
      // itself leaves out lines of its log.
      loggingFormat: LoggingFormat.JSON,
      systemLogLevelV2: platformLogLevel === 'info' ? SystemLogLevel.INFO : SystemLogLevel.WARN,
      ...(network && placeIn(network)),
      ...(reservedConcurrency !== undefined && { reservedConcurrentExecutions: reservedConcurrency }),
    })
    if (network) this.denyNetworkInterfaces(role)
    this.suppress(props)
  }

  private createRole(grants: readonly FunctionGrant[], tracing: boolean): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    for (const { actions, resources, whyWildcard, conditions } of grants) {
      role.addToPolicy(new PolicyStatement({ actions, resources, ...(conditions && { conditions }) }))
      const wildcards = resources.filter((resource) => resource.includes('*'))
      for (const resource of wildcards) if (whyWildcard) suppressWildcard(role, resource, whyWildcard)
    }
    if (tracing) suppressWildcard(role, '*', noNarrowerResource)
    return role
  }

  /** The statement names the function, which is created after the policy of its role. So it needs a separate policy. */
  private denyNetworkInterfaces(role: Role): void {
    const statements = [PolicyStatement.fromJson(mayNotUseNetworkInterfaces(this.lambda.functionArn))]
    new Policy(this, 'NoNetworkInterfaces', { roles: [role], statements })
  }

  private suppress({ whyNoDeadLetters, reservedConcurrency, telemetry }: TokenFunctionProps): void {
    const untraced = telemetry.tracing === false && 'The operator set the property tracing to false.'
    suppressNag(this.lambda, {
      'Serverless-LambdaDLQ': whyNoDeadLetters,
      ...(untraced && { 'Serverless-LambdaTracing': untraced }),
    })
    suppressCfnLint(this.lambda, { W3005: 'The CDK adds a dependency on the role that is already implied.' })
    suppressCheckov(this.lambda, {
      ...(reservedConcurrency === undefined && {
        CKV_AWS_115: 'The property reservedConcurrency sets it. A new account with its low quota cannot reserve any.',
      }),
      ...(untraced && { CKV_AWS_50: untraced }),
      CKV_AWS_116: whyNoDeadLetters,
      CKV_AWS_117: 'The property network places it in a VPC. It needs one only to reach servers in that VPC.',
      CKV_AWS_173: 'Its variables contain names and addresses, and no secret.',
      CKV_AWS_272: 'Code signing is the responsibility of the account that deploys.',
    })
  }
}

function placeIn({ vpc, subnets, securityGroups }: FunctionNetwork): Partial<FunctionProps> {
  return { vpc, securityGroups: [...securityGroups], ...(subnets && { vpcSubnets: subnets }) }
}
