import { Stack } from 'aws-cdk-lib'
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam'
import { Alias, type IVersion } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { canHaveAlias, mostDirectConnections } from '../../lib/configuration/direct-invocation.ts'
import { nearestName } from '../../lib/configuration/nearest-name.ts'
import { aliasOf } from '../../lib/http-interface/entry.ts'
import { grantByPolicy } from './policy-grant.ts'
import type { StageFunctions } from './stage-functions.ts'

export interface ConnectionAliasesProps {
  readonly connections: readonly string[]
  readonly functions: StageFunctions
}

const wayForOthers =
  'Make a role that the principal may assume, with callerRole, and grant this role: infra/README.md#callers-of-other-accounts.'

/** The functions that take direct requests. */
export type DirectFunction = 'issueToken' | 'callApi'

/**
 * An alias `c-<connection>` of `issue-token` and of `call-api` for each connection that takes direct requests. The right to invoke it
 * is the right to that connection alone. They move to a new version after `_live`, in the same update.
 */
export class ConnectionAliases extends Construct {
  private readonly aliases: ReadonlyMap<string, { readonly [Id in DirectFunction]: Alias }>

  constructor(scope: Construct, id: string, { connections, functions }: ConnectionAliasesProps) {
    super(scope, id)
    const names = [...new Set(connections)]
    checkConnections(names)
    const { issueToken, callApi } = functions
    const [token, call] = [new Construct(this, 'IssueToken'), new Construct(this, 'CallApi')]
    const entries = names.map((connection) => {
      const aliasName = aliasOf(connection)
      // The CDK declares optional members that may also be undefined.
      const ofToken = new Alias(token, connection, { aliasName, version: issueToken.lambda.currentVersion as IVersion })
      const ofCall = new Alias(call, connection, { aliasName, version: callApi.lambda.currentVersion as IVersion })
      return [connection, { issueToken: ofToken, callApi: ofCall }] as const
    })
    this.aliases = new Map(entries)
    // A gradual deployment that is rolled back leaves them at the version before.
    token.node.addDependency(issueToken.alias)
    call.node.addDependency(callApi.alias)
  }

  /**
   * Allows the grantee to invoke one alias. `Function.grantInvoke` of the CDK would allow every alias of the function.
   * @throws {Error} if the connection has no alias, or the right would have no effect
   */
  grantInvoke(grantee: IGrantable, functionId: DirectFunction, connection: string): Grant {
    const alias = this.aliases.get(connection)
    if (alias === undefined) throw this.withoutAlias(connection)
    const resourceArns = [alias[functionId].functionArn]
    const { account } = Stack.of(this)
    return grantByPolicy({ grantee, actions: ['lambda:InvokeFunction'], resourceArns, account, otherWay: wayForOthers })
  }

  private withoutAlias(connection: string): Error {
    const nearest = nearestName(connection, [...this.aliases.keys()])
    const advice =
      nearest === undefined
        ? 'Set directInvocation to true in its element. If this construct does not deploy the elements, name it in directConnections.'
        : `Did you mean ${nearest}?`
    return new Error(`The connection ${JSON.stringify(connection)} takes no direct requests. ${advice}`)
  }
}

function checkConnections(connections: readonly string[]): void {
  const wrong = connections.find((connection) => !canHaveAlias(connection))
  if (wrong !== undefined)
    throw new Error(
      `directConnections: ${JSON.stringify(wrong)} cannot be the name of an alias. A connection with directInvocation has a name of at most 126 letters, digits, _ and -.`,
    )
  const { length } = connections
  if (length > mostDirectConnections)
    throw new Error(
      `directConnections: a stage can have at most ${mostDirectConnections} connections that take direct requests, but ${length} have directInvocation or are in the list. Divide the connections among several stages.`,
    )
}

/** The connections that take direct requests, from valid elements by `<kind>/<id>`. */
export function directConnectionsOf(elements: ReadonlyMap<string, unknown>): string[] {
  const prefix = 'endpointConnection/'
  return [...elements].flatMap(([name, element]) => {
    const { directInvocation = false } = element as Readonly<Record<string, unknown>>
    return name.startsWith(prefix) && String(directInvocation) === 'true' ? [name.slice(prefix.length)] : []
  })
}
