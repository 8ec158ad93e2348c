import { join } from 'node:path'
import { AssetHashType, DockerImage, Duration, Stack } from 'aws-cdk-lib'
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  Code,
  type FunctionProps,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { bundleFunctionSync } from '../bundle.ts'
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

export interface TokenFunctionProps extends LogSettings {
  /** The folder under `functions`. */
  readonly name: string
  readonly description: string
  readonly environment: Readonly<Record<string, string>>
  readonly grants: readonly FunctionGrant[]
  readonly timeoutSeconds: number
  readonly memoryMegabytes: number
  readonly network?: FunctionNetwork
  readonly reservedConcurrency?: number
  /** What becomes of a call that fails, so that Lambda need not keep it. */
  readonly whyNoDeadLetters: string
}

const functionsFolder = join(import.meta.dirname, '..', '..', 'functions')

/** What all functions have in common. The role has the grants, its own log and traces, and no policy managed by AWS. */
export class TokenFunction extends Construct {
  readonly lambda: LambdaFunction
  readonly log: RetainedLog

  constructor(scope: Construct, id: string, props: TokenFunctionProps) {
    super(scope, id)
    const { name, description, environment, grants, timeoutSeconds, memoryMegabytes, network } = props
    const { reservedConcurrency } = props
    this.log = new RetainedLog(this, 'Log', props)
    const interfaces = network ? mayHaveNetworkInterfaces(Stack.of(this)) : []
    const role = this.createRole([...grants, mayWriteLog(this.log), ...interfaces])
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
      tracing: Tracing.ACTIVE,
      logGroup: this.log,
      // The function writes JSON by itself.
      loggingFormat: LoggingFormat.TEXT,
      ...(network && placeIn(network)),
      ...(reservedConcurrency !== undefined && { reservedConcurrentExecutions: reservedConcurrency }),
    })
    if (network) this.denyNetworkInterfaces(role)
    this.suppress(props)
  }

  private createRole(grants: readonly FunctionGrant[]): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    for (const { actions, resources, whyWildcard, conditions } of grants) {
      role.addToPolicy(new PolicyStatement({ actions, resources, ...(conditions && { conditions }) }))
      const wildcards = resources.filter((resource) => resource.endsWith('*'))
      for (const resource of wildcards) if (whyWildcard) suppressWildcard(role, resource, whyWildcard)
    }
    // Active tracing.
    suppressWildcard(role, '*', noNarrowerResource)
    return role
  }

  /** It needs a policy of its own, because it names the function, which is created after the policy of the role. */
  private denyNetworkInterfaces(role: Role): void {
    const statements = [PolicyStatement.fromJson(mayNotUseNetworkInterfaces(this.lambda.functionArn))]
    new Policy(this, 'NoNetworkInterfaces', { roles: [role], statements })
  }

  private suppress({ whyNoDeadLetters, reservedConcurrency }: TokenFunctionProps): void {
    suppressNag(this.lambda, { 'Serverless-LambdaDLQ': whyNoDeadLetters })
    suppressCfnLint(this.lambda, { W3005: 'CDK says twice that the role comes before the function.' })
    suppressCheckov(this.lambda, {
      ...(reservedConcurrency === undefined && {
        CKV_AWS_115: 'A property (reservedConcurrency): an account with the quota of a new one can reserve nothing.',
      }),
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

/** The function as our own bundler makes it: its folder with all files. Lambda starts it as `index.handler`. */
function codeOf(name: string): Code {
  return Code.fromAsset(join(functionsFolder, name), {
    // The output decides whether it is deployed again, because most of the code comes from other folders.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('never-run'),
      local: {
        tryBundle(outputFolder) {
          bundleFunctionSync(name, outputFolder)
          return true
        },
      },
    },
  })
}
