import {
  DeleteParametersCommand,
  DescribeParametersCommand,
  type DescribeParametersResult,
  GetParametersByPathCommand,
  type GetParametersByPathResult,
  PutParameterCommand,
  SSMClient,
} from '@aws-sdk/client-ssm'
import { batchesOf } from '../../base/semaphore.ts'
import { deployedDescription } from '../../configuration/deployment.ts'
import type { ElementWriter } from '../../configuration/element-plan.ts'
import { type AwsTimeouts, awsClientSettings, withinTime } from './aws-client.ts'
import { describeParameterStoreFailure } from './parameter-store-elements.ts'

export interface ParameterStoreWriterSettings {
  readonly stage: string
  /** The description of each parameter that it writes. By default it is the description of a deployment. */
  readonly description?: string
  readonly timeouts?: AwsTimeouts
}

/** No caller waits. A put may have to wait for many others, because Parameter Store takes 3 a second by default. */
const patient: AwsTimeouts = { connect: 2_000, answer: 10_000, total: 60_000 }

/** The maximum of a filter of DescribeParameters. */
const namesInOneFilter = 50

export interface ParameterStoreWriter extends ElementWriter {
  /**
   * Those of these elements whose parameters a deployment wrote last.
   * @throws {ElementStoreError}
   */
  deployed(names: readonly string[]): Promise<readonly string[]>
}

/** Elements as parameters `/tokenwell/<stage>/<kind>/<id>`, as `parameterStoreElements` reads them. */
export function parameterStoreWriter({
  stage,
  description = deployedDescription,
  timeouts = patient,
}: ParameterStoreWriterSettings): ParameterStoreWriter {
  const root = `/tokenwell/${stage}`
  const client = new SSMClient(awsClientSettings(timeouts))

  async function attempt<T>(action: string, path: string, call: (options: Options) => Promise<T>): Promise<T> {
    try {
      return await withinTime(timeouts.total, call)
    } catch (error) {
      throw describeParameterStoreFailure(error, action, path, 'written')
    }
  }

  return {
    async readAll() {
      const texts = new Map<string, string>()
      let page: GetParametersByPathResult = {}
      do {
        const settings = { Path: root, Recursive: true, WithDecryption: true, NextToken: page.NextToken }
        const command = new GetParametersByPathCommand(settings)
        page = await attempt('ssm:GetParametersByPath', root, (options) => client.send(command, options))
        for (const { Name = '', Value = '' } of page.Parameters ?? []) texts.set(Name.slice(root.length + 1), Value)
      } while (page.NextToken)
      return texts
    },
    async put(name, text) {
      const command = new PutParameterCommand({
        Name: `${root}/${name}`,
        Value: text,
        Type: 'String',
        Description: description,
        // A parameter cannot go back from the advanced tier to the standard tier. With this setting AWS chooses the tier.
        Tier: 'Intelligent-Tiering',
        Overwrite: true,
      })
      await attempt('ssm:PutParameter', `${root}/${name}`, (options) => client.send(command, options))
    },
    async remove(names) {
      const command = new DeleteParametersCommand({ Names: names.map((name) => `${root}/${name}`) })
      await attempt('ssm:DeleteParameters', `${root}/*`, (options) => client.send(command, options))
    },
    async deployed(names) {
      const found: string[] = []
      for (const some of batchesOf(names, namesInOneFilter)) {
        const filter = { Key: 'Name', Option: 'Equals', Values: some.map((name) => `${root}/${name}`) }
        let page: DescribeParametersResult = {}
        do {
          const command = new DescribeParametersCommand({ ParameterFilters: [filter], NextToken: page.NextToken })
          page = await attempt('ssm:DescribeParameters', '*', (options) => client.send(command, options))
          for (const { Name = '', Description } of page.Parameters ?? [])
            if (Description === deployedDescription) found.push(Name.slice(root.length + 1))
        } while (page.NextToken)
      }
      return found
    },
  }
}

interface Options {
  readonly abortSignal: AbortSignal
}
