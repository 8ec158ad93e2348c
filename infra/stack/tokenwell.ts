import { Stack, Token } from 'aws-cdk-lib'
import type { Connections, IConnectable } from 'aws-cdk-lib/aws-ec2'
import { EventBus } from 'aws-cdk-lib/aws-events'
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { type AlarmSettings, createAlarms, type StageAlarms } from './alarms.ts'
import { type ApiDomainSettings, checkDifferent, checkDomain } from './api-domain.ts'
import { CacheSecret } from './cache-secret.ts'
import { CertificateApi, type ClientCertificates } from './certificate-api.ts'
import { ConnectionAliases, directConnectionsOf } from './connection-aliases.ts'
import { ElementParameters } from './element-parameters.ts'
import {
  type EarlierVersion,
  functionIds,
  functionTable,
  type StageResources,
  type Throttle,
} from './function-table.ts'
import { defaultThrottle, HttpInterface, type JwtAuthorization, type ThrottleByFunction } from './http-interface.ts'
import { type Network, withSecurityGroups } from './network.ts'
import { OperatorsDashboard } from './operators-dashboard.ts'
import { addOutputs, type OutputSettings } from './outputs.ts'
import { checkPublicUrl, publicUrlOf } from './public-url.ts'
import { PublicationKey } from './publication-key.ts'
import { maximumConcurrency, RefreshQueue } from './refresh-queue.ts'
import { RefreshRules } from './refresh-rules.ts'
import type { LogSettings } from './retained-log.ts'
import { RotatedKeys, rotatedBuilders, type SigningKeySettings } from './rotated-keys.ts'
import { SignedBeforeShown } from './signed-before-shown.ts'
import { createStackMetrics } from './stack-metrics.ts'
import {
  createStageFunctions,
  type MemoryMegabytes,
  type ProvisionedConcurrency,
  type ReservedConcurrency,
  type StageFunctions,
} from './stage-functions.ts'
import type { TelemetrySettings } from './telemetry.ts'
import { TokenTable } from './token-table.ts'
import {
  demandConnection,
  ImportedStage,
  type ITokenwell,
  type TokenwellAttributes,
  TokenwellStage,
} from './tokenwell-stage.ts'
import { WarmSchedule } from './warm-schedule.ts'

/** A Valkey (or Redis) server that holds the tokens instead of a table. */
export interface ValkeyCache {
  /** `valkeys://<host>:<port>`. The user and password are in the secret of the cache. */
  readonly valkeyUrl: string
}

/** The properties of `Tokenwell`. */
export interface TokenwellProps extends LogSettings, TelemetrySettings, SigningKeySettings {
  /**
   * The name of this deployment, such as `test` or `prod`, at most 32 letters, digits, `_` and `-`. It is part of the names of its
   * parameters and secrets.
   */
  readonly stage: string
  /**
   * The `https://` URL at which callers reach the stage. Do not change it while clients are registered, because the default `iss` begins
   * with it.
   * @default - the URL of `domain`; without a domain the URL of the HTTP API, which ends with the stack
   */
  readonly publicUrl?: string
  /**
   * A name in DNS for the HTTP API: `{ name, certificate, hostedZone }`.
   * @default - callers use the URL of the HTTP API, or you map a domain to `http.stage`
   */
  readonly domain?: ApiDomainSettings
  /**
   * A second HTTP API for callers with client certificates: `{ domain: { name, certificate }, trustStore: { bucket, key, version } }`.
   * The attribute `clientCertificateSubjects` of a connection says whose certificates may use it.
   * @default - no certificate gives access to a connection
   */
  readonly clientCertificates?: ClientCertificates
  /**
   * A folder with files `<kind>/<id>.json`, or a JSON file, whose elements become parameters.
   * @default - you put the elements into Parameter Store yourself
   */
  readonly elements?: string
  /**
   * Whether the parameters of `elements` may exist before the first deployment, because you wrote them yourself or an earlier stage
   * left them. While it is set, they stay when the stack is deleted.
   * @default - existing parameters fail the first deployment
   */
  readonly takeOverParameters?: boolean
  /**
   * Connections with `directInvocation` whose elements this construct does not deploy. Each gets an alias, as those of `elements` do.
   * @default - only those of `elements` have aliases
   */
  readonly directConnections?: readonly string[]
  /**
   * With a JWT authorizer, a claim of the caller's JWT decides which connections the caller may use.
   * @default - IAM decides
   */
  readonly authorization?: JwtAuthorization
  /**
   * A Valkey server that holds the tokens.
   * @default - a DynamoDB table
   */
  readonly cache?: ValkeyCache
  /**
   * The VPC of the functions. Valkey needs it.
   * @default - no VPC
   */
  readonly network?: Network
  /**
   * The topic that alarms notify when they go off, and when they are over. `false` creates no alarms at all.
   * @default - alarms that notify no topic
   */
  readonly alarms?: ITopic | false
  /**
   * Other thresholds for alarms, by their names: `{ tokenRequestsFailed: { threshold: 5, minimum: 20 }, eventsWaiting: false }`. `false`
   * leaves an alarm out.
   * @default - the thresholds in the table of `infra/operations.md`
   */
  readonly alarmSettings?: AlarmSettings
  /**
   * The limit of each route.
   * @default - 500 requests a second and a burst of 1000
   */
  readonly throttle?: Throttle
  /**
   * The limit of each route of a function, in place of `throttle`.
   * @default - `throttle`; for the public function `publish-keys` at most 20 requests a second and a burst of 40; for `call-api`, unless
   * concurrency is reserved for it, at most 30 and 60
   */
  readonly throttleByFunction?: ThrottleByFunction
  /**
   * Runs reserved for each function. A new account with its low quota cannot reserve any. Reserve some for `call-api`: it runs as long
   * as an API takes, and a reservation leaves the rest of the account's concurrency to `issue-token`.
   * @default - no reservations
   */
  readonly reservedConcurrency?: ReservedConcurrency
  /**
   * Instances of each function that Lambda keeps ready for the alias `_live`, which the HTTP API invokes. They cost money all the time.
   * Do not count on them for direct requests, which come by other aliases.
   * @default - none
   */
  readonly provisionedConcurrency?: ProvisionedConcurrency
  /**
   * Set it only while you upgrade this deployment from that version: see `infra/operations.md`.
   * @default - records of 0.1 count as empty
   */
  readonly readRecordsOf?: EarlierVersion
  /**
   * The memory of each function in megabytes.
   * @default 512
   */
  readonly memoryMegabytes?: MemoryMegabytes
}

/** All resources of one stage of Tokenwell. */
export class Tokenwell extends TokenwellStage implements IConnectable {
  /** Imports a deployed stage, so that a stack can grant its connections and read its metrics. */
  static fromAttributes(scope: Construct, id: string, attributes: TokenwellAttributes): ITokenwell {
    return new ImportedStage(scope, id, attributes)
  }

  readonly stage: string
  /** The URL at which callers reach the stage. Only the deployment knows it if neither `publicUrl` nor `domain` is set. */
  readonly publicUrl: string
  readonly functions: StageFunctions
  readonly http: HttpInterface
  /** The HTTP API for callers with client certificates. Undefined without the property `clientCertificates`. */
  readonly certificateApi: CertificateApi | undefined
  readonly cacheSecret: CacheSecret
  readonly publicationKey: PublicationKey
  /** Undefined if tokens are kept in Valkey. */
  readonly table: TokenTable | undefined
  /** The bus for events of the functions and for requests of operators. */
  readonly events: EventBus
  readonly refreshes: RefreshQueue
  /** The alarms by their names, such as `alarms.deadLetters`. An alarm that is left out is undefined. */
  readonly alarms: StageAlarms
  /** Add the keys of jwtBuilders that are not among the `elements` of this construct. */
  readonly signingKeys: RotatedKeys
  private readonly isBehindIam: boolean
  private readonly aliases: ConnectionAliases
  /** Undefined if the elements are not deployed by this construct. */
  private readonly deployed: ElementParameters | undefined

  constructor(scope: Construct, id: string, props: TokenwellProps) {
    super(scope, id)
    const { stage, elements, authorization, alarms: topic, alarmSettings: settings } = props
    checkProperties(props)
    this.stage = stage
    this.isBehindIam = authorization === undefined
    this.table = props.cache ? undefined : new TokenTable(this, 'Table', props)
    this.cacheSecret = new CacheSecret(this, 'CacheSecret', props)
    this.publicationKey = new PublicationKey(this, 'PublicationKey', props)

    this.events = new EventBus(this, 'Events', { eventBusName: serviceName(stage) })
    this.refreshes = new RefreshQueue(this, 'Refreshes', {
      functionSeconds: functionTable.refreshToken.timeoutSeconds,
    })
    new RefreshRules(this, 'Rules', { stage, bus: this.events, refreshes: this.refreshes })
    this.http = new HttpInterface(this, 'Http', props)
    this.publicUrl = publicUrlOf(props, this.http.api.apiEndpoint)
    const resources = this.stageResources(props)
    this.functions = this.createFunctions(props, resources)
    const { warmTokens, refreshToken, rotateKey } = this.functions
    this.http.serve(this.functions)
    this.certificateApi = this.createCertificateApi(props)
    new WarmSchedule(this, 'WarmSchedule', { stage, warmTokens: warmTokens.live })
    this.refreshes.feed(refreshToken.live)
    this.signingKeys = new RotatedKeys(this, 'SigningKeys', { ...props, rotateKey: rotateKey.live })
    this.deployed = elements === undefined ? undefined : this.deployElements(props, elements, resources)
    const ofElements = this.deployed ? directConnectionsOf(this.deployed.elements) : []
    const connections = [...ofElements, ...(props.directConnections ?? [])]
    this.aliases = new ConnectionAliases(this, 'Aliases', { connections, functions: this.functions })
    const after = this.deployed ? [this.deployed.written] : []
    new SignedBeforeShown(this, 'SignedBeforeShown', { functions: this.functions, after })

    const { functions, refreshes, http } = this
    const metrics = createStackMetrics(stage, { functions, refreshes, api: http.api })
    new OperatorsDashboard(this, 'Dashboard', { stage, metrics })
    this.alarms =
      topic === false
        ? {}
        : createAlarms(this, 'Alarms', { metrics, ...(topic && { topic }), ...(settings && { settings }) })
  }

  get httpApiId(): string {
    return this.http.api.apiId
  }

  get apiUrl(): string {
    return this.http.api.apiEndpoint
  }

  protected override get eventBusArn(): string {
    return this.events.eventBusArn
  }

  protected get account(): string {
    return Stack.of(this).account
  }

  protected get region(): string {
    return Stack.of(this).region
  }

  /** The security groups of the functions in a VPC. All functions have the same. */
  get connections(): Connections {
    return this.functions.issueToken.lambda.connections
  }

  /** Adds the outputs of `infra/README.md` to the stack: the URL, the logs, the bus, the queue of failed events. */
  addOutputs(settings: OutputSettings = {}): void {
    addOutputs(this, settings)
  }

  /**
   * Allows the grantee to get the tokens of one connection by direct requests to its alias of `issue-token`. The element of the
   * connection must have `directInvocation`.
   */
  grantDirectToken(grantee: IGrantable, connection: string): Grant {
    return this.aliases.grantInvoke(grantee, 'issueToken', connection)
  }

  /** The same for calls of the connection's API, by its alias of `call-api`. The grantee gets no token. */
  grantDirectCall(grantee: IGrantable, connection: string): Grant {
    return this.aliases.grantInvoke(grantee, 'callApi', connection)
  }

  protected override demandGrantable(connection: string): void {
    if (!this.isBehindIam)
      throw new Error(
        'A grant of IAM has no effect with a JWT authorizer. The claim in the JWT decides which connections a caller may use.',
      )
    super.demandGrantable(connection)
    if (this.deployed) demandConnection(connection, this.deployed.idsOf('endpointConnection'))
  }

  /** Deploys the elements, and a rotated secret for each jwtBuilder whose keys Tokenwell makes. */
  private deployElements(props: TokenwellProps, path: string, resources: StageResources): ElementParameters {
    const { stage, takeOverParameters, encryptionKey, removalPolicy, logRetention } = props
    const { publicUrl } = this
    const logs = {
      ...(encryptionKey && { encryptionKey }),
      ...(removalPolicy && { removalPolicy }),
      ...(logRetention && { logRetention }),
    }
    const parameters = new ElementParameters(this, 'Elements', {
      ...{ stage, publicUrl, path, resources, logs },
      ...(takeOverParameters !== undefined && { takeOverParameters }),
    })
    const needed = [parameters.written, ...(this.table ? [this.table] : [])]
    this.signingKeys.addAll(rotatedBuilders(parameters.elements), needed)
    return parameters
  }

  private stageResources(props: TokenwellProps): StageResources {
    const { stage, authorization, cache, encryptionKey, readRecordsOf } = props
    return {
      stack: Stack.of(this),
      stage,
      publicUrl: this.publicUrl,
      cachePlace: this.table ? `dynamodb:${this.table.tableName}` : (cache?.valkeyUrl ?? ''),
      table: this.table,
      bus: this.events,
      refreshes: this.refreshes,
      cacheSecret: this.cacheSecret,
      publicationKey: this.publicationKey,
      telemetry: props,
      ...(encryptionKey && { encryptionKey }),
      ...(authorization && { connectionsClaim: authorization.connectionsClaim }),
      ...(readRecordsOf && { readRecordsOf }),
    }
  }

  private createCertificateApi({ clientCertificates, throttle = defaultThrottle, ...props }: TokenwellProps) {
    if (!clientCertificates) return undefined
    const { functions } = this
    return new CertificateApi(this, 'ClientCertificates', { ...props, ...clientCertificates, functions, throttle })
  }

  private createFunctions(props: TokenwellProps, resources: StageResources): StageFunctions {
    const { cache, network, encryptionKey, ...settings } = props
    return createStageFunctions(this, {
      ...settings,
      resources,
      ...(encryptionKey && { encryptionKey }),
      ...(network && { network: withSecurityGroups(this, network, cache?.valkeyUrl) }),
    })
  }
}

/** @throws {Error} for a property that is not valid, before anything is deployed with it */
function checkProperties({ stage, cache, ...props }: TokenwellProps): void {
  if (props.alarms === false && props.alarmSettings)
    throw new Error('alarmSettings has no effect, because alarms is false. Leave out one of them.')
  if (Token.isUnresolved(stage) || !/^[A-Za-z0-9_-]{1,32}$/.test(stage))
    throw new Error(
      'stage must be a name of at most 32 letters, digits, _ and -, and must be known before the deployment.',
    )
  if (props.domain) checkDomain('domain', props.domain)
  if (props.clientCertificates) {
    checkDomain('clientCertificates', props.clientCertificates.domain)
    if (props.domain) checkDifferent(props.domain, props.clientCertificates.domain)
  }
  checkPublicUrl(props)
  if (cache && !/^(valkey|redis)s?:\/\//.test(cache.valkeyUrl))
    throw new Error('valkeyUrl must be valkeys://<host>:<port>, or valkey://<host>:<port> without TLS.')
  const { memoryMegabytes = {}, throttleByFunction = {}, reservedConcurrency = {}, provisionedConcurrency = {} } = props
  const byFunction = { memoryMegabytes, throttleByFunction, reservedConcurrency, provisionedConcurrency }
  for (const [property, value] of Object.entries(byFunction)) checkFunctionNames(property, Object.keys(value))
  checkReserved(reservedConcurrency)
  checkProvisioned(provisionedConcurrency, reservedConcurrency)
}

/** A misspelt name would have no effect, so it is an error. */
function checkFunctionNames(property: string, names: readonly string[]): void {
  const known = functionIds.map((id): string => functionTable[id].name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new Error(`${property}: the function "${unknown}" does not exist. The functions are ${known.join(', ')}.`)
}

function checkReserved(reservedConcurrency: ReservedConcurrency): void {
  for (const [name, reserved] of Object.entries(reservedConcurrency)) {
    // The queue sends this many batches at a time. A batch that Lambda throttles still counts as a delivery of its messages.
    const least = name === 'refresh-token' ? maximumConcurrency : 1
    if (!Number.isInteger(reserved) || reserved < least)
      throw new Error(`reservedConcurrency of ${name} must be an integer of at least ${least}.`)
  }
}

function checkProvisioned(provisioned: ProvisionedConcurrency, reserved: ReservedConcurrency): void {
  for (const [name, instances] of Object.entries(provisioned)) {
    const most = reserved[name as keyof ReservedConcurrency] ?? Infinity
    if (!Number.isInteger(instances) || instances < 1 || instances > most)
      throw new Error(
        `provisionedConcurrency of ${name} must be an integer of at least 1, and at most its reservedConcurrency.`,
      )
  }
}
