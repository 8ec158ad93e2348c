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
import {
  type EarlierVersion,
  functionIds,
  functionTable,
  type StageResources,
  type Throttle,
} from './function-table.ts'
import { HttpInterface, type JwtAuthorization, type ThrottleByFunction } from './http-interface.ts'
import { type Network, withSecurityGroups } from './network.ts'
import { OperatorsDashboard } from './operators-dashboard.ts'
import { PublicationKey } from './publication-key.ts'
import { maximumConcurrency, RefreshQueue } from './refresh-queue.ts'
import { RefreshRules } from './refresh-rules.ts'
import type { LogSettings } from './retained-log.ts'
import { RotatedKeys, rotatedBuilders } from './rotated-keys.ts'
import { SignedBeforeShown } from './signed-before-shown.ts'
import { createStackMetrics } from './stack-metrics.ts'
import {
  createStageFunctions,
  type MemoryMegabytes,
  type ReservedConcurrency,
  type StageFunctions,
} from './stage-functions.ts'
import { TokenTable } from './token-table.ts'
import { WarmSchedule } from './warm-schedule.ts'

/** A Valkey (or Redis) server that holds the tokens instead of a table. */
export interface ValkeyCache {
  /** `valkeys://<host>:<port>`. The user and password are in the secret of the cache. */
  readonly valkeyUrl: string
}

/**
 * `encryptionKey` encrypts table, secrets and logs in place of AWS's keys. A key of another stack must let CloudWatch Logs use
 * it. `removalPolicy` decides what happens to all three when the stack is deleted: without it the table is deleted, and
 * secrets and logs stay.
 */
export interface TokenwellProps extends LogSettings {
  /** Names this deployment in the names of its parameters and secrets: `test`, `prod`. */
  readonly stage: string
  /** The address of the API for callers. It must not change while clients are registered: the default `iss` begins with it. */
  readonly publicUrl: string
  /** A folder `<kind>/<id>.json` or a JSON file. Without it you put the elements into Parameter Store yourself. */
  readonly elements?: string
  /** With it the claim of a JWT decides which connections a caller may use. Without it IAM does. */
  readonly authorization?: JwtAuthorization
  readonly cache?: ValkeyCache
  readonly network?: Network
  /** The topic that alarms notify. `false` makes no alarms at all. */
  readonly alarms?: ITopic | false
  /** Of each route by itself. The default is 500 requests a second, and 1000 in a burst. */
  readonly throttle?: Throttle
  /** Of each route of a function, in place of `throttle`. The default of `publish-keys`, which anybody may call, is 20 and 40. */
  readonly throttleByFunction?: ThrottleByFunction
  /**
   * Without it nothing is reserved, because an account with the quota of a new one can't. Reserve some for `call-api`, which runs as long
   * as an API takes, so that it leaves the rest of the account's concurrency to `issue-token`.
   */
  readonly reservedConcurrency?: ReservedConcurrency
  /** While this deployment is upgraded from that version, and not afterwards: see `infra/README.md`. */
  readonly readRecordsOf?: EarlierVersion
  /** By function. The default is 512 for each. */
  readonly memoryMegabytes?: MemoryMegabytes
}

/** Everything that one stage needs to hand out tokens. */
export class Tokenwell extends Construct implements IConnectable {
  readonly functions: StageFunctions
  readonly http: HttpInterface
  readonly cacheSecret: CacheSecret
  readonly publicationKey: PublicationKey
  /** Undefined where tokens are in Valkey. */
  readonly table: TokenTable | undefined
  /** The bus for events of the functions, and for requests of operators. */
  readonly events: EventBus
  readonly refreshes: RefreshQueue
  /** Add the keys of jwtBuilders here that are not among the `elements` of this construct. */
  readonly signingKeys: RotatedKeys
  private readonly isBehindIam: boolean

  constructor(scope: Construct, id: string, props: TokenwellProps) {
    super(scope, id)
    const { stage, elements, authorization, alarms } = props
    checkProperties(props)
    this.isBehindIam = authorization === undefined
    this.table = props.cache ? undefined : new TokenTable(this, 'Table', props)
    this.cacheSecret = new CacheSecret(this, 'CacheSecret', props)
    this.publicationKey = new PublicationKey(this, 'PublicationKey', props)

    this.events = new EventBus(this, 'Events', { eventBusName: serviceName(stage) })
    this.refreshes = new RefreshQueue(this, 'Refreshes')
    new RefreshRules(this, 'Rules', { stage, bus: this.events, refreshes: this.refreshes })
    this.functions = this.createFunctions(props)
    const { warmTokens, refreshToken, rotateKey } = this.functions
    this.http = new HttpInterface(this, 'Http', { ...props, functions: this.functions })
    new WarmSchedule(this, 'WarmSchedule', { stage, warmTokens: warmTokens.lambda })
    this.refreshes.feed(refreshToken.lambda)
    this.signingKeys = new RotatedKeys(this, 'SigningKeys', { ...props, rotateKey: rotateKey.lambda })
    const parameters = elements === undefined ? [] : [this.deployElements(props, elements)]
    new SignedBeforeShown(this, 'SignedBeforeShown', { functions: this.functions, after: parameters })

    const { functions, refreshes, http } = this
    const metrics = createStackMetrics(stage, { functions, refreshes, api: http.api })
    new OperatorsDashboard(this, 'Dashboard', { stage, metrics })
    if (alarms !== false) new Alarms(this, 'Alarms', { metrics, ...(alarms && { topic: alarms }) })
  }

  /** The security groups of the functions in a VPC. All functions have the same. */
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
   * Lets somebody invoke `issue-token` directly, and so use every connection of this stage: nothing limits the connections
   * then. Prefer `grantToken`.
   */
  grantInvoke(grantee: IGrantable): Grant {
    return this.functions.issueToken.lambda.grantInvoke(grantee)
  }

  /**
   * Lets somebody put events on the bus of this stage: they can have tokens renewed or dropped, and elements read again. No
   * event makes Tokenwell hand out a token.
   */
  grantEvents(grantee: IGrantable): Grant {
    return this.events.grantPutEventsTo(grantee)
  }

  /** @throws {Error} where IAM does not decide, or the name could match more than one connection */
  private demandGrantable(connection: string): void {
    if (!this.isBehindIam)
      throw new Error('Behind a JWT authorizer a claim says who may use which connection, not IAM.')
    if (!isElementId(connection)) throw new Error(`${JSON.stringify(connection)} can't be a connection's name.`)
  }

  /** Deploys the elements, and a secret with its rotation for each jwtBuilder whose keys Tokenwell makes. */
  private deployElements({ stage, publicUrl }: TokenwellProps, path: string): ElementParameters {
    const parameters = new ElementParameters(this, 'Elements', { stage, publicUrl, path })
    const needed = [parameters, ...(this.table ? [this.table] : [])]
    for (const { jwtBuilder, rotationMilliseconds } of rotatedBuilders(parameters.elements))
      this.signingKeys.add(jwtBuilder, rotationMilliseconds, needed)
    return parameters
  }

  private createFunctions(props: TokenwellProps): StageFunctions {
    const { stage, publicUrl, authorization, cache, network, encryptionKey, readRecordsOf, ...settings } = props
    const resources: StageResources = {
      stack: Stack.of(this),
      stage,
      publicUrl,
      cachePlace: this.table ? `dynamodb:${this.table.tableName}` : (cache?.valkeyUrl ?? ''),
      table: this.table,
      bus: this.events,
      refreshes: this.refreshes,
      cacheSecret: this.cacheSecret,
      publicationKey: this.publicationKey,
      ...(encryptionKey && { encryptionKey }),
      ...(authorization && { connectionsClaim: authorization.connectionsClaim }),
      ...(readRecordsOf && { readRecordsOf }),
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

/** @throws {Error} for what is not valid, before anything is deployed under it */
function checkProperties({ stage, publicUrl, cache, ...props }: TokenwellProps): void {
  if (Token.isUnresolved(stage) || !/^[A-Za-z0-9_-]{1,32}$/.test(stage))
    throw new Error('stage must be a name of at most 32 letters, digits, _ and -, known before the deployment.')
  if (Token.isUnresolved(publicUrl) || !publicUrl.startsWith('https://') || !URL.canParse(publicUrl))
    throw new Error(
      'publicUrl must be the https:// address at which callers reach Tokenwell, known before the deployment.',
    )
  if (cache && !/^(valkey|redis)s?:\/\//.test(cache.valkeyUrl))
    throw new Error('valkeyUrl must be valkeys://<host>:<port>, or valkey://<host>:<port> without TLS.')
  const { memoryMegabytes = {}, throttleByFunction = {}, reservedConcurrency = {} } = props
  for (const [property, value] of Object.entries({ memoryMegabytes, throttleByFunction, reservedConcurrency }))
    checkFunctionNames(property, Object.keys(value))
  checkReserved(reservedConcurrency)
}

/** A name that is misspelt would limit nothing. */
function checkFunctionNames(property: string, names: readonly string[]): void {
  const known = functionIds.map((id): string => functionTable[id].name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new Error(`${property}: there is no function ${JSON.stringify(unknown)}. There are ${known.join(', ')}.`)
}

function checkReserved(reservedConcurrency: ReservedConcurrency): void {
  for (const [name, reserved] of Object.entries(reservedConcurrency)) {
    // Its queue brings it so many batches at a time, and what Lambda turns away counts as a delivery.
    const least = name === 'refresh-token' ? maximumConcurrency : 1
    if (!Number.isInteger(reserved) || reserved < least)
      throw new Error(`reservedConcurrency of ${name} must be a whole number, ${least} at least.`)
  }
}
