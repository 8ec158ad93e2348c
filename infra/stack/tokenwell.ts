import { Stack, Token } from 'aws-cdk-lib'
import type { Connections, IConnectable } from 'aws-cdk-lib/aws-ec2'
import { EventBus } from 'aws-cdk-lib/aws-events'
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { isElementId } from '../../lib/configuration/value-syntax.ts'
import { Alarms } from './alarms.ts'
import { CacheSecret } from './cache-secret.ts'
import { ElementParameters } from './element-parameters.ts'
import type { StageResources } from './function-table.ts'
import { HttpInterface, type JwtAuthorization, type Throttle } from './http-interface.ts'
import { type Network, withSecurityGroups } from './network.ts'
import { OperatorsDashboard } from './operators-dashboard.ts'
import { RefreshQueue } from './refresh-queue.ts'
import { RefreshRules } from './refresh-rules.ts'
import type { LogSettings } from './retained-log.ts'
import { rotatedBuilders, SigningKeys } from './signing-keys.ts'
import { createStackMetrics } from './stack-metrics.ts'
import { createStageFunctions, type MemoryMegabytes, type StageFunctions } from './stage-functions.ts'
import { TokenTable } from './token-table.ts'
import { WarmSchedule } from './warm-schedule.ts'

/** Tokens in a Valkey (or Redis) server instead of a table. */
export interface ValkeyCache {
  /** `valkeys://<host>:<port>`; its user and password stand in the cache's secret. */
  readonly valkeyUrl: string
}

/**
 * `encryptionKey` encrypts table, secret and logs in place of AWS's keys; a key from elsewhere must let CloudWatch Logs use it.
 * `removalPolicy` says for all three what becomes of them with the stack: without it the table goes, secret and logs stay.
 */
export interface TokenwellProps extends LogSettings {
  /** Names this deployment in the names of its parameters and secrets: `test`, `prod`. */
  readonly stage: string
  /** Where callers reach the API, the same for as long as its clients are registered: the default `iss` begins with it. */
  readonly publicUrl: string
  /** A folder `<kind>/<id>.json` or a JSON file; without it the elements are put into Parameter Store otherwise. */
  readonly elements?: string
  /** IAM decides who may use which connection, unless a JWT's claim is to. */
  readonly authorization?: JwtAuthorization
  readonly cache?: ValkeyCache
  readonly network?: Network
  /** Who is told; `false`: no alarms at all. */
  readonly alarms?: ITopic | false
  readonly throttle?: Throttle
  /** By function; 512 each. */
  readonly memoryMegabytes?: MemoryMegabytes
}

/** Everything that hands out the tokens of one stage. */
export class Tokenwell extends Construct implements IConnectable {
  readonly functions: StageFunctions
  readonly http: HttpInterface
  readonly cacheSecret: CacheSecret
  /** None where tokens are in Valkey. */
  readonly table: TokenTable | undefined
  /** Where the functions say what they have done, and are told what to look at. */
  readonly events: EventBus
  readonly refreshes: RefreshQueue
  /** Of jwtBuilders that are no property of this construct they are added by hand. */
  readonly signingKeys: SigningKeys
  private readonly isBehindIam: boolean

  constructor(scope: Construct, id: string, props: TokenwellProps) {
    super(scope, id)
    const { stage, elements, authorization, alarms } = props
    checkProperties(props)
    this.isBehindIam = authorization === undefined
    this.table = props.cache ? undefined : new TokenTable(this, 'Table', props)
    this.cacheSecret = new CacheSecret(this, 'CacheSecret', props)

    this.events = new EventBus(this, 'Events', { eventBusName: serviceName(stage) })
    this.refreshes = new RefreshQueue(this, 'Refreshes')
    new RefreshRules(this, 'Rules', { stage, bus: this.events, refreshes: this.refreshes })
    this.functions = this.createFunctions(props)
    const { warmTokens, refreshToken, rotateKey } = this.functions
    this.http = new HttpInterface(this, 'Http', { ...props, functions: this.functions })
    new WarmSchedule(this, 'WarmSchedule', { stage, warmTokens: warmTokens.lambda })
    this.refreshes.feed(refreshToken.lambda)
    this.signingKeys = new SigningKeys(this, 'SigningKeys', { ...props, rotateKey: rotateKey.lambda })
    if (elements !== undefined) this.deployElements(props, elements)

    const { functions, refreshes, http } = this
    const metrics = createStackMetrics(stage, { functions, refreshes, api: http.api })
    new OperatorsDashboard(this, 'Dashboard', { stage, metrics })
    if (alarms !== false) new Alarms(this, 'Alarms', { metrics, ...(alarms && { topic: alarms }) })
  }

  /** The security groups of the functions, where they are in a VPC: all have the same. */
  get connections(): Connections {
    return this.functions.issueToken.lambda.connections
  }

  /** Lets somebody get the tokens of one connection. */
  grantToken(grantee: IGrantable, connection: string): Grant {
    this.demandGrantable(connection)
    return grantRoutes(grantee, [this.http.tokenArn(connection)])
  }

  /** Lets somebody call the API of one connection, by every method and path. They get no token. */
  grantCall(grantee: IGrantable, connection: string): Grant {
    this.demandGrantable(connection)
    return grantRoutes(grantee, this.http.callArns(connection))
  }

  /**
   * Lets somebody invoke `issue-token` directly, and thereby use every connection of this stage: nothing decides any more
   * which. Prefer `grantToken`.
   */
  grantInvoke(grantee: IGrantable): Grant {
    return this.functions.issueToken.lambda.grantInvoke(grantee)
  }

  /**
   * Lets somebody put events on the bus of this stage: have tokens renewed or dropped, and elements read again. Nothing that
   * is said there makes a token go to anybody.
   */
  grantEvents(grantee: IGrantable): Grant {
    return this.events.grantPutEventsTo(grantee)
  }

  /** @throws {Error} where it isn't IAM that decides, or the name could be that of more than one */
  private demandGrantable(connection: string): void {
    if (!this.isBehindIam)
      throw new Error('Behind a JWT authorizer a claim says who may use which connection, not IAM.')
    if (!isElementId(connection)) throw new Error(`${JSON.stringify(connection)} can't be a connection's name.`)
  }

  /** The elements, and a secret with a rotation for each jwtBuilder among them whose keys Tokenwell makes. */
  private deployElements({ stage, publicUrl }: TokenwellProps, path: string): void {
    const parameters = new ElementParameters(this, 'Elements', { stage, publicUrl, path })
    const needed = [parameters, ...(this.table ? [this.table] : [])]
    for (const { jwtBuilder, rotationMilliseconds } of rotatedBuilders(parameters.elements))
      this.signingKeys.add(jwtBuilder, rotationMilliseconds, needed)
  }

  private createFunctions(props: TokenwellProps): StageFunctions {
    const { stage, publicUrl, authorization, cache, network, encryptionKey, ...settings } = props
    const resources: StageResources = {
      stack: Stack.of(this),
      stage,
      publicUrl,
      cachePlace: this.table ? `dynamodb:${this.table.tableName}` : (cache?.valkeyUrl ?? ''),
      table: this.table,
      bus: this.events,
      refreshes: this.refreshes,
      cacheSecret: this.cacheSecret,
      ...(encryptionKey && { encryptionKey }),
      ...(authorization && { connectionsClaim: authorization.connectionsClaim }),
    }
    return createStageFunctions(this, {
      ...settings,
      resources,
      ...(encryptionKey && { encryptionKey }),
      ...(network && { network: withSecurityGroups(this, network, cache?.valkeyUrl) }),
    })
  }
}

function grantRoutes(grantee: IGrantable, resourceArns: string[]): Grant {
  return Grant.addToPrincipal({ grantee, actions: ['execute-api:Invoke'], resourceArns })
}

/** @throws {Error} where a name or address isn't one, before anything is deployed under it */
function checkProperties({ stage, publicUrl, cache }: TokenwellProps): void {
  if (Token.isUnresolved(stage) || !/^[A-Za-z0-9_-]{1,32}$/.test(stage))
    throw new Error('stage must be a name of at most 32 letters, digits, _ and -, known before the deployment.')
  if (Token.isUnresolved(publicUrl) || !publicUrl.startsWith('https://') || !URL.canParse(publicUrl))
    throw new Error(
      'publicUrl must be the https:// address at which callers reach Tokenwell, known before the deployment.',
    )
  if (cache && !/^(valkey|redis)s?:\/\//.test(cache.valkeyUrl))
    throw new Error('valkeyUrl must be valkeys://<host>:<port>, or valkey://<host>:<port> without TLS.')
}
