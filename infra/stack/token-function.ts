import type { Duration } from 'aws-cdk-lib'
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  type FunctionProps,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { codeOf } from './function-code.ts'
import {
  type FunctionGrant,
  mayHaveNetworkInterfaces,
  mayNotUseNetworkInterfaces,
  mayWriteLog,
  noNarrowerResource,
} from './grants.ts'
import type { FunctionNetwork } from './network.ts'
import { passOverCfnLint, passOverCheckov, passOverNag, passOverWildcard } from './passed-over.ts'
import { type LogSettings, RetainedLog } from './retained-log.ts'

export interface TokenFunctionProps extends LogSettings {
  /** The folder under `functions`. */
  readonly name: string
  readonly description: string
  readonly environment: Readonly<Record<string, string>>
  readonly grants: readonly FunctionGrant[]
  readonly timeout: Duration
  readonly memoryMegabytes?: number
  readonly network?: FunctionNetwork
  /** What becomes of a call that fails, so that Lambda need not keep it. */
  readonly whyNoDeadLetters: string
}

/** Enough of a processor to start in well under a second. */
const defaultMemoryMegabytes = 512

/** What all functions have in common. Its role has the grants, its own log and its traces, and no policy of AWS's making. */
export class TokenFunction extends Construct {
  readonly lambda: LambdaFunction
  readonly log: RetainedLog

  constructor(scope: Construct, id: string, props: TokenFunctionProps) {
    super(scope, id)
    const { name, description, environment, grants, timeout, memoryMegabytes, network } = props
    this.log = new RetainedLog(this, 'Log', props)
    const role = this.createRole([...grants, mayWriteLog(this.log), ...(network ? mayHaveNetworkInterfaces(this) : [])])
    this.lambda = new LambdaFunction(this, 'Function', {
      description,
      role,
      environment: { ...environment },
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: codeOf(name),
      handler: 'index.handler',
      memorySize: memoryMegabytes ?? defaultMemoryMegabytes,
      timeout,
      tracing: Tracing.ACTIVE,
      logGroup: this.log,
      // The function writes JSON by itself.
      loggingFormat: LoggingFormat.TEXT,
      ...(network && placeIn(network)),
    })
    if (network) this.denyNetworkInterfaces(role)
    this.passOver(props)
  }

  private createRole(grants: readonly FunctionGrant[]): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    for (const { actions, resources, whyWildcard } of grants) {
      role.addToPolicy(new PolicyStatement({ actions, resources }))
      const wildcards = resources.filter((resource) => resource.endsWith('*'))
      for (const resource of wildcards) if (whyWildcard) passOverWildcard(role, resource, whyWildcard)
    }
    // Active tracing.
    passOverWildcard(role, '*', noNarrowerResource)
    return role
  }

  /** A policy of its own: the role's must be there before the function that this one names. */
  private denyNetworkInterfaces(role: Role): void {
    const statements = [mayNotUseNetworkInterfaces(this.lambda.functionArn)]
    new Policy(this, 'NoNetworkInterfaces', { roles: [role], statements })
  }

  private passOver({ whyNoDeadLetters }: TokenFunctionProps): void {
    passOverNag(this.lambda, { 'Serverless-LambdaDLQ': whyNoDeadLetters })
    passOverCfnLint(this.lambda, { W3005: 'CDK says twice that the role comes before the function.' })
    passOverCheckov(this.lambda, {
      CKV_AWS_115: 'What invokes it is bounded; concurrency of its own is taken from what the account has.',
      CKV_AWS_116: whyNoDeadLetters,
      CKV_AWS_117: 'It needs a VPC only for what is in one (vpc).',
      CKV_AWS_173: 'Its variables hold no secret: names and addresses.',
      CKV_AWS_272: 'Code signing is a matter of the account that deploys.',
    })
  }
}

function placeIn({ vpc, subnets, securityGroups }: FunctionNetwork): Partial<FunctionProps> {
  return { vpc, securityGroups: [...securityGroups], ...(subnets && { vpcSubnets: subnets }) }
}
