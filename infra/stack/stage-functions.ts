import { Alias, type IFunction, type IVersion } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { liveAlias } from '../../lib/http-interface/entry.ts'
import { constructIdOf, type FunctionId, type FunctionName, forEachFunction, functionTable } from './function-table.ts'
import type { FunctionNetwork } from './network.ts'
import type { LogSettings } from './retained-log.ts'
import type { StageResources } from './stage-resources.ts'
import { TokenFunction, type TokenFunctionProps } from './token-function.ts'

export interface StageFunctionsProps extends LogSettings {
  readonly resources: StageResources
  readonly network?: FunctionNetwork
  readonly memoryMegabytes?: MemoryMegabytes
  readonly reservedConcurrency?: ReservedConcurrency
  readonly provisionedConcurrency?: ProvisionedConcurrency
}

/** How many runs each function may have at a time. AWS reserves them for that function, and takes them from the rest of the account. */
export type ReservedConcurrency = Readonly<Partial<Record<FunctionName, number>>>
/** How many instances of each function are kept ready for the alias `_live`. */
export type ProvisionedConcurrency = Readonly<Partial<Record<FunctionName, number>>>
export type MemoryMegabytes = Readonly<Partial<Record<FunctionName, number>>>
export type StageFunctions = { readonly [Id in FunctionId]: StageFunction }

interface StageFunctionProps extends TokenFunctionProps {
  readonly provisionedConcurrency?: number
}

/**
 * A function with the alias that the API, the schedule, the queue and rotations invoke. The alias changes from one version to the
 * next at once, and a rollback changes it back. CloudFormation deletes the version before.
 */
export class StageFunction extends TokenFunction {
  readonly alias: Alias

  constructor(scope: Construct, id: string, props: StageFunctionProps) {
    super(scope, id, props)
    const { provisionedConcurrency: provisioned } = props
    // The CDK declares optional members that may also be undefined.
    const version = this.lambda.currentVersion as IVersion
    this.alias = new Alias(this, 'Live', {
      ...{ aliasName: liveAlias, version },
      ...(provisioned !== undefined && { provisionedConcurrentExecutions: provisioned }),
    })
  }

  /** The alias as a function. */
  get live(): IFunction {
    return this.alias as IFunction
  }
}

/** The functions of a stage, one for each row of the table. */
export function createStageFunctions(scope: Construct, props: StageFunctionsProps): StageFunctions {
  const { resources, memoryMegabytes, reservedConcurrency, provisionedConcurrency, ...common } = props
  return forEachFunction((id, row) => {
    const { description, environment, grants, timeoutSeconds, whyNoDeadLetters } = row
    const { name } = functionTable[id]
    const reserved = reservedConcurrency?.[name]
    const provisioned = provisionedConcurrency?.[name]
    return new StageFunction(scope, constructIdOf(id), {
      ...common,
      name,
      description: description(resources.stage),
      environment: environment(resources),
      grants: grants(resources),
      memoryMegabytes: memoryMegabytes?.[name] ?? row.memoryMegabytes,
      timeoutSeconds,
      telemetry: resources.telemetry,
      whyNoDeadLetters,
      ...(reserved !== undefined && { reservedConcurrency: reserved }),
      ...(provisioned !== undefined && { provisionedConcurrency: provisioned }),
    })
  })
}
