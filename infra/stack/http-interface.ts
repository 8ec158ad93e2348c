import { Aws, Duration, Fn } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  CfnStage,
  type DomainName,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpStage,
  type IHttpRouteAuthorizer,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct, type IConstruct } from 'constructs'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { ApiDomain, type ApiDomainSettings } from './api-domain.ts'
import {
  constructIdOf,
  type FunctionName,
  type FunctionRow,
  forEachFunction,
  type Route,
  routesOf,
  type Throttle,
} from './function-table.ts'
import { type LogSettings, RetainedLog } from './retained-log.ts'
import type { ReservedConcurrency, StageFunctions } from './stage-functions.ts'
import { suppressCheckov, suppressNag } from './suppressions.ts'

/** Callers send a JWT of this issuer instead of an IAM signature. */
export interface JwtAuthorization {
  readonly issuer: string
  readonly audience: readonly string[]
  /** The claim that lists the connections of a caller. A caller whose JWT lacks the claim may use no connection. */
  readonly connectionsClaim: string
}

/** The throttle of each route of a function. Each route has its own limit. */
export type ThrottleByFunction = Readonly<Partial<Record<FunctionName, Throttle>>>

export interface HttpInterfaceProps extends LogSettings {
  readonly stage: string
  readonly domain?: ApiDomainSettings
  readonly authorization?: JwtAuthorization
  readonly throttle?: Throttle
  readonly throttleByFunction?: ThrottleByFunction
  /** A function with runs of its own can starve no other one, so its routes need no lower throttle, unless they are public. */
  readonly reservedConcurrency?: ReservedConcurrency
  /** If it has a path, clients ask for descriptions of connections at a path of their own. */
  readonly publicUrl?: string
  /** Whether descriptions of connections are for everybody. */
  readonly publicDiscovery?: boolean
}

export const integrationTimeout = Duration.seconds(29)
export const defaultThrottle: Throttle = { requestsPerSecond: 500, burst: 1000 }

/** The HTTP API with the routes of the functions. A route needs authorization unless it states a reason to be public. */
export class HttpInterface extends Construct {
  readonly api: HttpApi
  /** The stage of the API, for an `ApiMapping` of your own. */
  readonly stage: HttpStage
  /** Undefined without the property `domain`. */
  readonly domain: DomainName | undefined
  readonly log: RetainedLog
  private readonly props: HttpInterfaceProps

  constructor(scope: Construct, id: string, props: HttpInterfaceProps) {
    super(scope, id)
    this.props = props
    const { stage, authorization, throttle = defaultThrottle, domain } = props
    this.log = new RetainedLog(this, 'AccessLog', { ...props, logGroupName: accessLogName(serviceName(stage)) })
    this.api = new HttpApi(this, 'Api', {
      apiName: serviceName(stage),
      description: 'Tokenwell: access tokens by connection',
      createDefaultStage: false,
      // It also protects routes that are added to this API later.
      defaultAuthorizer: createAuthorizer(authorization),
    })
    this.stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      autoDeploy: true,
      throttle: { rateLimit: throttle.requestsPerSecond, burstLimit: throttle.burst },
      accessLogSettings: { destination: new LogGroupLogDestination(this.log), format: accessLogFormat },
    })
    setRouteThrottles(this.stage, routeThrottles(throttle, props))
    this.domain = domain && new ApiDomain(this, 'Domain', { ...domain, api: this.api, stage: this.stage }).domainName
  }

  /** Adds the routes. They come later than the API, because the functions may have the URL of the API as their public URL. */
  serve(functions: StageFunctions): void {
    const added = forEachFunction((id) => {
      return this.addRoutes(constructIdOf(id), functions[id].live, routesOf(id, this.props))
    })
    // API Gateway rejects settings for a route that does not exist yet.
    this.stage.node.addDependency(...Object.values(added).flat())
  }

  private addRoutes(id: string, handler: IFunction, routes: readonly Route[]): IConstruct[] {
    const integration = new HttpLambdaIntegration(id, handler, { timeout: integrationTimeout })
    return routes.flatMap(({ path, methods, whyPublic }) => {
      const added = this.api.addRoutes({
        path,
        methods: methods.map((method) => HttpMethod[method]),
        integration,
        ...(whyPublic !== undefined && { authorizer: new HttpNoneAuthorizer() }),
      })
      if (whyPublic !== undefined) for (const route of added) suppressAuthorization(route, whyPublic)
      return added
    })
  }
}

/**
 * AWS grants API Gateway all log groups with this beginning at once. For any other group it makes a policy longer, whose limit of 5120
 * characters fails deployments in accounts with many APIs. The id of the stack makes the name new for a stage that is deployed again
 * after its stack was deleted, because the log of the deleted stack stays.
 */
export function accessLogName(apiName: string): string {
  return `/aws/vendedlogs/${apiName}/${Fn.select(2, Fn.split('/', Aws.STACK_ID))}`
}

/** The throttles by route key. A route without its own throttle has the throttle of the stage. */
function routeThrottles(stageThrottle: Throttle, props: HttpInterfaceProps): ReadonlyMap<string, Throttle> {
  const { throttleByFunction = {}, reservedConcurrency = {} } = props
  const throttles = new Map<string, Throttle>()
  forEachFunction((id, { name }: FunctionRow) => {
    const [set, reserved] = [throttleByFunction[name as FunctionName], reservedConcurrency[name as FunctionName]]
    for (const { path, methods, throttle, whyPublic } of routesOf(id, props)) {
      const isNeeded = reserved === undefined || whyPublic !== undefined
      const own = set ?? (throttle && isNeeded ? lower(throttle, stageThrottle) : undefined)
      if (own) for (const method of methods) throttles.set(`${method} ${path}`, own)
    }
  })
  return throttles
}

function lower(a: Throttle, b: Throttle): Throttle {
  return {
    requestsPerSecond: Math.min(a.requestsPerSecond, b.requestsPerSecond),
    burst: Math.min(a.burst, b.burst),
  }
}

/** The CDK has no property for route settings. */
function setRouteThrottles(stage: HttpStage, throttles: ReadonlyMap<string, Throttle>): void {
  const resource = stage.node.defaultChild
  if (!(resource instanceof CfnStage))
    throw new Error(`${stage.node.path} has no CfnStage. Check the version of aws-cdk-lib.`)
  const settings = [...throttles].map(([route, { requestsPerSecond, burst }]) => {
    return [route, { ThrottlingRateLimit: requestsPerSecond, ThrottlingBurstLimit: burst }] as const
  })
  resource.routeSettings = Object.fromEntries(settings)
}

export function suppressAuthorization(route: IConstruct, whyPublic: string): void {
  suppressNag(route, { 'AwsSolutions-APIG4': whyPublic })
  suppressCheckov(route, { CKV_AWS_309: whyPublic })
}

function createAuthorizer(authorization: JwtAuthorization | undefined): IHttpRouteAuthorizer {
  if (!authorization) return new HttpIamAuthorizer()
  return new HttpJwtAuthorizer('Jwt', authorization.issuer, { jwtAudience: [...authorization.audience] })
}

/** The caller, the request and its outcome. Path and query are left out, because they may name a user and a token: the route stands for them. */
export const accessLogFormat = AccessLogFormat.custom(
  JSON.stringify({
    requestId: '$context.requestId',
    time: '$context.requestTime',
    sourceIp: '$context.identity.sourceIp',
    caller: '$context.identity.userArn',
    subject: '$context.authorizer.claims.sub',
    certificateSubject: '$context.identity.clientCert.subjectDN',
    certificateIssuer: '$context.identity.clientCert.issuerDN',
    certificateSerialNumber: '$context.identity.clientCert.serialNumber',
    method: '$context.httpMethod',
    route: '$context.routeKey',
    status: '$context.status',
    milliseconds: '$context.responseLatency',
    integrationError: '$context.integrationErrorMessage',
    authorizerError: '$context.authorizer.error',
  }),
)
