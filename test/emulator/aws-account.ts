import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { plant } from '../support/output/canary.ts'
import type { Credentials, Ministack } from '../support/servers/ministack.ts'

/** One line of a function's log. */
export type LogLine = Readonly<Record<string, unknown>>

export type TableItem = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** A resource as CloudFormation knows it. */
export interface StackResource {
  readonly type: string
  readonly physicalId: string
}

/** What the operator of an account does besides deployments, with plain signed calls. */
export interface AwsAccount {
  /** Makes a role with this policy statement, and assumes it. */
  assumeNewRole(name: string, statement: object): Promise<Credentials>
  /** Assumes a role of this account with credentials of any account. Undefined if its trust policy does not allow that. */
  assumeRole(roleArn: string, signedBy: Credentials): Promise<Credentials | undefined>
  /** Creates a stack from a template without assets. */
  createStack(name: string, template: object): Promise<void>
  /** Invokes a function directly. Throws if the function fails. */
  invoke(functionName: string, event: object): Promise<void>
  functionNames(): Promise<readonly string[]>
  /** The resources of a stack by logical id. */
  stackResources(stackName: string): Promise<ReadonlyMap<string, StackResource>>
  /** The logical ids of the resources of a stack that ever had this status. */
  logicalIdsWithStatus(stackName: string, status: string): Promise<readonly string[]>
  /** The items of a table, each attribute in DynamoDB's JSON. */
  tableItems(TableName: string): Promise<readonly TableItem[]>
  /** The events that functions have logged there. */
  logLines(logGroup: string): Promise<readonly LogLine[]>
}

const anyPrincipal = { Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }

export function createAwsAccount(ministack: Ministack): AwsAccount {
  const { endpoint, root: signedBy, accountId } = ministack
  const send = async (path: string, request: Omit<Parameters<Ministack['request']>[1], 'signedBy'>) => {
    const answer = await ministack.request(`${endpoint}${path}`, { ...request, signedBy })
    const text = await answer.text()
    assert.equal(answer.ok, true, text)
    return { text, headers: answer.headers }
  }
  const query = async (service: string, parameters: Record<string, string>) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return (await send('/', { service, method: 'POST', headers, body: String(new URLSearchParams(parameters)) })).text
  }
  /** Each member of a list that CloudFormation answers in pages. */
  const members = async (Action: string, StackName: string) => {
    const found: string[] = []
    let NextToken: string | undefined
    do {
      const request = { Version: '2010-05-15', Action, StackName, ...(NextToken !== undefined && { NextToken }) }
      const text = await query('cloudformation', request)
      found.push(...[...text.matchAll(/<member>(.*?)<\/member>/gs)].map(([, member = '']) => member))
      NextToken = readMember(text, 'NextToken')
    } while (NextToken)
    return found
  }
  return {
    async assumeNewRole(name, statement) {
      const iam = { Version: '2010-05-08', RoleName: name }
      await query('iam', { ...iam, Action: 'CreateRole', AssumeRolePolicyDocument: policy(anyPrincipal) })
      await query('iam', { ...iam, Action: 'PutRolePolicy', PolicyName: 'calls', PolicyDocument: policy(statement) })
      const RoleArn = `arn:aws:iam::${accountId}:role/${name}`
      const sts = { Version: '2011-06-15', Action: 'AssumeRole', RoleArn, RoleSessionName: 'the-session' }
      return readCredentials(await query('sts', sts))
    },
    async assumeRole(RoleArn, signedBy) {
      const sts = { Version: '2011-06-15', Action: 'AssumeRole', RoleArn, RoleSessionName: 'the-session' }
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const body = String(new URLSearchParams(sts))
      const answer = await ministack.request(`${endpoint}/`, {
        service: 'sts',
        method: 'POST',
        headers,
        body,
        signedBy,
      })
      const text = await answer.text()
      assert.ok(answer.ok || text.includes('AccessDenied'), text)
      return answer.ok ? readCredentials(text) : undefined
    },
    async createStack(StackName, template) {
      const request = { Version: '2010-05-15', StackName, 'Capabilities.member.1': 'CAPABILITY_NAMED_IAM' }
      await query('cloudformation', { ...request, Action: 'CreateStack', TemplateBody: JSON.stringify(template) })
      for (;;) {
        const text = await query('cloudformation', { Version: '2010-05-15', Action: 'DescribeStacks', StackName })
        const status = readMember(text, 'StackStatus')
        if (status === 'CREATE_COMPLETE') return
        assert.equal(status, 'CREATE_IN_PROGRESS', text)
        await pause(500)
      }
    },
    async invoke(functionName, event) {
      const path = `/2015-03-31/functions/${functionName}/invocations`
      const { text, headers } = await send(path, { service: 'lambda', method: 'POST', body: JSON.stringify(event) })
      assert.equal(headers.get('x-amz-function-error'), null, text)
    },
    async functionNames() {
      const { text } = await send('/2015-03-31/functions/', { service: 'lambda' })
      const { Functions }: { Functions: readonly { FunctionName: string }[] } = JSON.parse(text)
      return Functions.map(({ FunctionName }) => FunctionName)
    },
    async stackResources(stackName) {
      const found = await members('ListStackResources', stackName)
      return new Map(
        found.map((each) => {
          const read = (name: string) => readMember(each, name) ?? assert.fail(`no ${name}: ${each}`)
          return [read('LogicalResourceId'), { type: read('ResourceType'), physicalId: read('PhysicalResourceId') }]
        }),
      )
    },
    async logicalIdsWithStatus(stackName, status) {
      const found = await members('DescribeStackEvents', stackName)
      const matching = found.filter((each) => readMember(each, 'ResourceStatus') === status)
      return matching.map((each) => readMember(each, 'LogicalResourceId') ?? '')
    },
    async tableItems(TableName) {
      const { text } = await send('/', {
        service: 'dynamodb',
        method: 'POST',
        headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.Scan' },
        body: JSON.stringify({ TableName }),
      })
      const { Items }: { Items: readonly TableItem[] } = JSON.parse(text)
      return Items
    },
    async logLines(logGroupName) {
      const { text } = await send('/', {
        service: 'logs',
        method: 'POST',
        headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.FilterLogEvents' },
        body: JSON.stringify({ logGroupName }),
      })
      const { events }: { events: readonly { message: string }[] } = JSON.parse(text)
      const lines = events.flatMap(({ message }) => message.split('\n')).filter((line) => line.startsWith('{'))
      return lines.map((line): LogLine => JSON.parse(line))
    },
  }
}

function policy(statement: object): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
}

function readCredentials(answer: string): Credentials {
  const member = (name: string) => readMember(answer, name) ?? ''
  const credentials = {
    accessKeyId: member('AccessKeyId'),
    secretAccessKey: member('SecretAccessKey'),
    sessionToken: member('SessionToken'),
  }
  plant(credentials.secretAccessKey)
  return credentials
}

function readMember(answer: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer)?.[1]
}
