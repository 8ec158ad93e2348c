import { Stack } from 'aws-cdk-lib'
import type { Connections, IConnectable } from 'aws-cdk-lib/aws-ec2'
import { EventBus } from 'aws-cdk-lib/aws-events'
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { createAlarms, type StageAlarms } from './alarms.ts'
import { CacheSecret } from './cache-secret.ts'
import { CertificateApi } from './certificate-api.ts'
import { ConnectionAliases, directConnectionsOf } from './connection-aliases.ts'
import { ElementParameters, readValidElements, type ValidElements } from './element-parameters.ts'
import { functionTable } from './function-table.ts'
import { GradualDeployment } from './gradual-deployment.ts'
import { defaultThrottle, HttpInterface } from './http-interface.ts'
import { type IdentityRole, IdentityRoles, identityRolesOf } from './identity-roles.ts'
import { kmsAliasesOf, signingAliases } from './kms-keys.ts'
import { withSecurityGroups } from './network.ts'
import { OperatorsDashboard } from './operators-dashboard.ts'
import { addOutputs, type OutputSettings } from './outputs.ts'
import { publicUrlOf } from './public-url.ts'
import { PublicationKey } from './publication-key.ts'
import { RefreshQueue } from './refresh-queue.ts'
import { RefreshRules } from './refresh-rules.ts'
import { RotatedKeys, rotatedBuilders } from './rotated-keys.ts'
import { SignedBeforeShown } from './signed-before-shown.ts'
import { createStackMetrics } from './stack-metrics.ts'
import { createStageFunctions, type StageFunctions } from './stage-functions.ts'
import type { StageResources } from './stage-resources.ts'
import { TokenTable } from './token-table.ts'
import { checkProperties, type TokenwellProps } from './tokenwell-props.ts'
import {
  demandConnection,
  ImportedStage,
  type ITokenwell,
  type TokenwellAttributes,
  TokenwellStage,
} from './tokenwell-stage.ts'
import { WarmSchedule } from './warm-schedule.ts'
import { webIdentitiesOf } from './web-identities.ts'

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
  protected readonly knownUrl: string | undefined
  private readonly aliases: ConnectionAliases
  /** Undefined if the elements are not deployed by this construct. */
  private readonly deployed: ElementParameters | undefined

  constructor(scope: Construct, id: string, props: TokenwellProps) {
    super(scope, id)
    const { stage, elements, authorization, alarms: topic, alarmSettings: settings } = props
    checkProperties(props)
    this.stage = stage
    this.knownUrl = props.publicUrl
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
    const valid =
      elements === undefined ? undefined : readValidElements({ stage, path: elements, publicUrl: this.publicUrl })
    const signing = signingOf(props, valid?.elements ?? new Map())
    const resources = this.stageResources(props, signing)
    this.functions = this.createFunctions(props, resources)
    const { warmTokens, refreshToken, rotateKey } = this.functions
    this.http.serve(this.functions)
    this.certificateApi = this.createCertificateApi(props)
    new WarmSchedule(this, 'WarmSchedule', { stage, warmTokens: warmTokens.live })
    this.refreshes.feed(refreshToken.live)
    this.signingKeys = new RotatedKeys(this, 'SigningKeys', { ...props, rotateKey: rotateKey.live })
    if (props.makesIdentityRoles !== false) this.createIdentityRoles(props, signing)
    this.deployed = valid && this.deployElements(props, valid, resources)
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
    const { gradualDeployment } = props
    if (gradualDeployment)
      new GradualDeployment(this, 'GradualDeployment', { ...gradualDeployment, functions, alarms: this.alarms })
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
  private deployElements(props: TokenwellProps, valid: ValidElements, resources: StageResources): ElementParameters {
    const { stage, takeOverParameters, encryptionKey, removalPolicy, logRetention } = props
    const logs = {
      ...(encryptionKey && { encryptionKey }),
      ...(removalPolicy && { removalPolicy }),
      ...(logRetention && { logRetention }),
    }
    const parameters = new ElementParameters(this, 'Elements', {
      ...{ stage, valid, resources, logs },
      ...(takeOverParameters !== undefined && { takeOverParameters }),
    })
    const needed = [parameters.written, ...(this.table ? [this.table] : [])]
    this.signingKeys.addAll(rotatedBuilders(parameters.elements), needed)
    return parameters
  }

  private createIdentityRoles({ stage, identityRoleUsers: users = [] }: TokenwellProps, { roles }: Signing): void {
    new IdentityRoles(this, 'Identity', { stage, roles, functions: this.functions, users })
  }

  private stageResources(props: TokenwellProps, { kmsAliases, roles }: Signing): StageResources {
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
      kmsAliases,
      identityRoles: IdentityRoles.arnsOf(this, stage, roles),
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

/** What signs for the stage, besides the keys in its secrets. */
interface Signing {
  readonly kmsAliases: readonly string[]
  readonly roles: readonly IdentityRole[]
}

function signingOf(props: TokenwellProps, elements: ReadonlyMap<string, unknown>): Signing {
  const { stage, kmsKeys = [], webIdentities = [] } = props
  return {
    kmsAliases: signingAliases(stage, kmsAliasesOf(elements), kmsKeys),
    roles: identityRolesOf(stage, [...webIdentitiesOf(elements), ...webIdentities]),
  }
}
