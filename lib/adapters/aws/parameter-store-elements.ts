import {
  GetParametersByPathCommand,
  type GetParametersByPathResult,
  GetParametersCommand,
  SSMClient,
} from '@aws-sdk/client-ssm'
import { batchesOf } from '../../base/semaphore.ts'
import type { Deployment } from '../../configuration/deployment.ts'
import { type ElementReference, type Kind, kinds } from '../../configuration/element.ts'
import { type ElementReading, type ElementStore, ElementStoreError } from '../../configuration/element-store.ts'
import type { Finding } from '../../configuration/finding.ts'
import { checkIds, readElement, unreadableElement, whyNoKind } from '../../configuration/read-element.ts'
import { isElementId } from '../../configuration/value-syntax.ts'
import { readStrictJson } from '../json/strict-json.ts'
import { type AwsTimeouts, awsClientSettings, defaultAwsTimeouts, withinTime } from './aws-client.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

export interface ParameterStoreSettings extends Pick<Deployment, 'stage'> {
  readonly timeouts?: AwsTimeouts
}

/** The maximum of GetParameters. */
const namesInOneCall = 10

/**
 * Elements in AWS Systems Manager Parameter Store, read again for each call. An element is the parameter
 * `/tokenwell/<stage>/<kind>/<id>`, with JSON as its value.
 * @throws {ElementStoreError} from each call while the elements cannot be read
 */
export function parameterStoreElements({ stage, timeouts = defaultAwsTimeouts }: ParameterStoreSettings): ElementStore {
  const root = `/tokenwell/${stage}`
  const nameOf = ({ kind, id }: ElementReference) => `${root}/${kind}/${id}`
  let client: SSMClient | undefined
  const connect = () => {
    client ??= new SSMClient(awsClientSettings(timeouts))
    return client
  }

  async function readValues(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const commands = batchesOf(names, namesInOneCall).map(
      (Names) => new GetParametersCommand({ Names, WithDecryption: true }),
    )
    try {
      const answers = await withinTime(timeouts.total, (options) =>
        Promise.all(commands.map((command) => connect().send(command, options))),
      )
      return new Map(
        answers.flatMap(({ Parameters = [] }) => Parameters).map(({ Name = '', Value = '' }) => [Name, Value]),
      )
    } catch (error) {
      throw describeParameterStoreFailure(error, 'ssm:GetParameters', `${root}/*`)
    }
  }

  /** The names under a path, without the path. Each page has the full time limit, because there may be a thousand pages. */
  async function listNames(path: string, { isRecursive }: { readonly isRecursive: boolean }): Promise<string[]> {
    const names: string[] = []
    let page: GetParametersByPathResult = {}
    do {
      const command = new GetParametersByPathCommand({ Path: path, Recursive: isRecursive, NextToken: page.NextToken })
      try {
        page = await withinTime(timeouts.total, (options) => connect().send(command, options))
      } catch (error) {
        throw describeParameterStoreFailure(error, 'ssm:GetParametersByPath', root)
      }
      names.push(...(page.Parameters ?? []).map(({ Name = '' }) => Name.slice(path.length + 1)))
    } while (page.NextToken)
    return names
  }

  return {
    async get(references) {
      // The service rejects a whole request if one of its names is not valid.
      const possible = references.filter(({ id }) => isElementId(id))
      const values = await readValues([...new Set(possible.map(nameOf))])
      return references.map((reference) => {
        const value = values.get(nameOf(reference))
        return value === undefined ? undefined : readParameter(reference, value)
      })
    },
    async ids(kind) {
      return (await listNames(`${root}/${kind}`, { isRecursive: false })).filter(isElementId)
    },
    async findings() {
      return checkNames(root, await listNames(root, { isRecursive: true }))
    },
  }
}

function readParameter(reference: ElementReference, value: string): ElementReading {
  // PowerShell puts a byte order mark before the text that it sends.
  const read = readStrictJson(value.replace(/^\ufeff/, ''))
  if ('complaint' in read)
    return unreadableElement(reference, `Its parameter does not contain valid JSON: ${read.complaint}.`)
  return readElement(reference, read.value)
}

function checkNames(root: string, names: readonly string[]): Finding[] {
  if (names.length === 0)
    return [{ severity: 'mistake', sentence: `There is no element under ${root}. Create at least one.` }]

  const findings: Finding[] = []
  const groups = new Map<string, string[]>()
  for (const name of names) {
    const [kind = '', id, ...more] = name.split('/')
    if (id === undefined || more.length > 0)
      findings.push({
        severity: 'warning',
        sentence: `The parameter ${root}/${name} is ignored because its name does not have the form ${root}/<kind>/<id>.`,
      })
    else groups.set(kind, [...(groups.get(kind) ?? []), id])
  }
  for (const [name, ids] of groups) {
    const kind: Kind | undefined = kinds.find((each) => each === name)
    if (kind) findings.push(...checkIds(kind, ids))
    else findings.push({ severity: 'mistake', sentence: whyNoKind(name) })
  }
  return findings
}

/** Only the name or code of the SDK's error is kept. */
export function describeParameterStoreFailure(
  error: unknown,
  action: string,
  path: string,
  done: 'read' | 'written' = 'read',
): unknown {
  const reason = reasonOfAwsFailure(error)
  switch (classifyAwsFailure(error)) {
    case 'denied':
      return new ElementStoreError(
        'elements_denied',
        `The elements cannot be ${done} (${reason}). Allow ${action} on the parameter ${path}, and kms:Decrypt on the key if you encrypt them with your own. Check that the credentials are valid.`,
      )
    case 'throttled':
      return new ElementStoreError(
        'elements_throttled',
        `The elements under ${path} cannot be ${done} now (${reason}): Parameter Store throttles requests. Try again later.`,
      )
    case 'unreachable':
      return new ElementStoreError(
        'elements_unreachable',
        `The elements under ${path} cannot be ${done} now (${reason}). Check that Parameter Store can be reached, and try again later.`,
      )
    case 'missing':
    case undefined:
      return error
  }
}
