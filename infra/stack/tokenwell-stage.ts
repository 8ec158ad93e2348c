import { Stack, Token, TokenComparison } from 'aws-cdk-lib'
import type { Grant, IGrantable, Role } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { callMethods } from '../../lib/api-call/api-endpoint.ts'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { nearestName } from '../../lib/configuration/nearest-name.ts'
import { isSubject, subjectSegment } from '../../lib/configuration/subject.ts'
import { isElementId } from '../../lib/configuration/value-syntax.ts'
import { discoveryRoutes } from '../../lib/http-interface/server-metadata.ts'
import { type CallerRoleOptions, createCallerRole } from './caller-role.ts'
import { type IMeasuredStage, MeasuredStage } from './measured-stage.ts'
import { grantByPolicy } from './policy-grant.ts'
import { suppressWildcard } from './suppressions.ts'

/** A stage of Tokenwell that this app creates, or that it imports by `Tokenwell.fromAttributes`. */
export interface ITokenwell extends IMeasuredStage {
  /** The name of the deployment. */
  readonly stage: string
  /** The id of the HTTP API that callers reach. */
  readonly httpApiId: string
  /** The URL of this HTTP API itself, without a slash at the end. */
  readonly apiUrl: string
  /**
   * Allows the grantee, a principal of the same account, to get the tokens of one connection, and to read how a client asks for them. With
   * `subject`, only the tokens for that user, or for every user with `*`.
   */
  grantToken(grantee: IGrantable, connection: string, options?: TokenGrantOptions): Grant
  /** Allows the grantee, a principal of the same account, to call the API of one connection with every method and path. It gets no token. */
  grantCall(grantee: IGrantable, connection: string): Grant
  /** Allows the grantee, a principal of the same account, to put events on the bus of the stage. No event hands out a token. */
  grantEvents(grantee: IGrantable): Grant
  /** Creates a role for one caller of another account or organization, which may use these connections only. */
  callerRole(id: string, options: CallerRoleOptions): Role
}

/** Which tokens of a connection a grant is for. */
export interface TokenGrantOptions {
  /**
   * The user whose tokens the grantee may get, for a connection with `sub` in `claimsFromRequest`. `*` is every user.
   * @default - the grant is for connections whose requests name no user
   */
  readonly subject?: string
}

/** What identifies a deployed stage. */
export interface TokenwellAttributes {
  /** The name of the deployment. */
  readonly stage: string
  /** The id of its HTTP API: the first part of the host name in the output `ApiUrl`. */
  readonly httpApiId: string
  /**
   * The account of the stage.
   * @default - the account of the stack
   */
  readonly account?: string
  /**
   * The region of the stage.
   * @default - the region of the stack
   */
  readonly region?: string
  /**
   * The property `publicUrl` of the stage. Set it if this URL has a path: grants then include the description at that path.
   * @default - the URL has no path
   */
  readonly publicUrl?: string
}

const wayForOthers =
  'HTTP APIs have no resource policy. Make a role that the principal may assume, with callerRole: infra/README.md#callers-of-other-accounts.'

/** What callers, and other stacks, use of a stage. */
export abstract class TokenwellStage extends MeasuredStage implements ITokenwell {
  abstract readonly apiUrl: string
  protected abstract readonly account: string
  protected abstract readonly region: string
  /** The public URL, if the app knows it. Its path is a part of the route that describes a connection. */
  protected abstract readonly knownUrl: string | undefined

  protected get eventBusArn(): string {
    return this.arnOf({ service: 'events', resource: 'event-bus', resourceName: serviceName(this.stage) })
  }

  grantToken(grantee: IGrantable, connection: string, { subject }: TokenGrantOptions = {}): Grant {
    this.demandGrantable(connection)
    if (subject !== undefined)
      return this.grantRoutes(grantee, [this.routeArn(`POST/connections/${connection}/as/${segmentOf(subject)}/token`)])
    const descriptions = discoveryRoutes(this.knownUrl).map(
      ({ path }) => `GET${path.replace('{connection}', connection)}`,
    )
    const routes = [`POST/connections/${connection}/token`, ...descriptions]
    return this.grantRoutes(
      grantee,
      routes.map((route) => this.routeArn(route)),
    )
  }

  grantCall(grantee: IGrantable, connection: string): Grant {
    this.demandGrantable(connection)
    return this.grantRoutes(grantee, this.callArns(connection))
  }

  grantEvents(grantee: IGrantable): Grant {
    return grantByPolicy({
      grantee,
      actions: ['events:PutEvents'],
      resourceArns: [this.eventBusArn],
      account: this.account,
      otherWay: 'Allow the principal events:PutEvents in the policy of the event bus and in its own account.',
    })
  }

  callerRole(id: string, options: CallerRoleOptions): Role {
    const own = Stack.of(this).account
    if (Token.compareStrings(own, this.account) === TokenComparison.DIFFERENT)
      throw new Error(
        `callerRole ${id}: The role must be in the account of the stage, ${this.account}, but this stack is in ${own}. Create it in a stack of that account.`,
      )
    const role = createCallerRole(this, id, options)
    for (const [connection, uses] of Object.entries(options.connections)) {
      if (uses.includes('token')) this.grantToken(role, connection)
      if (!uses.includes('call')) continue
      this.grantCall(role, connection)
      for (const arn of this.callArns(connection))
        suppressWildcard(role, arn, 'The caller may use every path of the API of this connection.')
    }
    return role
  }

  /** @throws {Error} if IAM does not decide, or the name is not the name of one connection */
  protected demandGrantable(connection: string): void {
    if (!isElementId(connection)) throw new Error(`${JSON.stringify(connection)} cannot be the name of a connection.`)
  }

  /**
   * The ARNs of all calls of one connection's API, one for each method. IAM's wildcard also matches slashes: in place of the method
   * it would allow `GET/connections/<another>/api/connections/<this one>/api/`.
   */
  private callArns(connection: string): string[] {
    return callMethods.map((method) => this.routeArn(`${method}/connections/${connection}/api/*`))
  }

  private routeArn(methodAndPath: string): string {
    const resourceName = `$default/${methodAndPath}`
    return this.arnOf({ service: 'execute-api', resource: this.httpApiId, resourceName })
  }

  private arnOf(parts: { readonly service: string; readonly resource: string; readonly resourceName: string }): string {
    return Stack.of(this).formatArn({ ...parts, account: this.account, region: this.region })
  }

  private grantRoutes(grantee: IGrantable, resourceArns: string[]): Grant {
    const actions = ['execute-api:Invoke']
    return grantByPolicy({ grantee, actions, resourceArns, account: this.account, otherWay: wayForOthers })
  }
}

/** @throws {Error} for a text that cannot be a user */
function segmentOf(subject: string): string {
  if (subject === '*') return subject
  if (Token.isUnresolved(subject) || !isSubject(subject))
    throw new Error('subject must be the name of a user, at most 256 characters without control characters, or *.')
  return subjectSegment(subject)
}

/** A stage of another stack. */
export class ImportedStage extends TokenwellStage {
  readonly stage: string
  readonly httpApiId: string
  readonly apiUrl: string
  protected readonly account: string
  protected readonly region: string
  protected readonly knownUrl: string | undefined

  constructor(scope: Construct, id: string, { stage, httpApiId, account, region, publicUrl }: TokenwellAttributes) {
    super(scope, id)
    this.knownUrl = publicUrl
    const stack = Stack.of(this)
    this.stage = stage
    this.httpApiId = httpApiId
    this.account = account ?? stack.account
    this.region = region ?? stack.region
    this.apiUrl = `https://${httpApiId}.execute-api.${this.region}.${stack.urlSuffix}`
    this.placeOfMetrics = { ...(account !== undefined && { account }), ...(region !== undefined && { region }) }
  }
}

/** @throws {Error} if there is no such connection among the names */
export function demandConnection(connection: string, names: readonly string[]): void {
  if (names.includes(connection)) return
  const nearest = nearestName(connection, names)
  const advice = nearest === undefined ? `The connections are ${names.join(', ')}.` : `Did you mean ${nearest}?`
  throw new Error(`The elements have no connection ${connection}. ${advice}`)
}
