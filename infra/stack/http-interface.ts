import { Duration, Stack } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
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
import { Construct } from 'constructs'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { passOverCheckov, passOverNag } from './passed-over.ts'
import { type LogSettings, RetainedLog } from './retained-log.ts'

/** Callers come with a JWT of this issuer instead of an IAM signature. */
export interface JwtAuthorization {
  readonly issuer: string
  readonly audience: readonly string[]
  /** The claim that lists the connections a caller may use; who has none may use none. */
  readonly connectionsClaim: string
}

/** Beyond it API Gateway answers 429. */
export interface Throttle {
  readonly requestsPerSecond: number
  readonly burst: number
}

export interface HttpInterfaceProps extends LogSettings {
  readonly stage: string
  readonly issueToken: IFunction
  readonly callApi: IFunction
  readonly publishKeys: IFunction
  readonly authorization?: JwtAuthorization
  readonly throttle?: Throttle
}

const tokenPath = '/connections/{connection}/token'
const callPath = '/connections/{connection}/api/{path+}'
/** Those of `ANY`. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const publicHalvesOnly = 'Public halves of keys, for whoever has to verify a signature.'
const integrationTimeout = Duration.seconds(29)
const defaultThrottle: Throttle = { requestsPerSecond: 500, burst: 1000 }

/** The routes of the functions, each with authorization. */
export class HttpInterface extends Construct {
  readonly api: HttpApi
  readonly log: RetainedLog

  constructor(scope: Construct, id: string, props: HttpInterfaceProps) {
    super(scope, id)
    const { stage, issueToken, callApi, publishKeys, authorization, throttle = defaultThrottle } = props
    this.log = new RetainedLog(this, 'AccessLog', props)
    this.api = new HttpApi(this, 'Api', {
      apiName: serviceName(stage),
      description: 'Tokenwell: access tokens by connection',
      createDefaultStage: false,
      // Of all routes, those too that are added to this API later.
      defaultAuthorizer: createAuthorizer(authorization),
    })
    const integration = integrationOf('IssueToken', issueToken)
    this.api.addRoutes({ path: tokenPath, methods: [HttpMethod.POST, HttpMethod.DELETE], integration })
    this.api.addRoutes({ path: '/connections', methods: [HttpMethod.GET], integration })
    this.api.addRoutes({
      path: callPath,
      methods: [HttpMethod.ANY],
      integration: integrationOf('CallApi', callApi),
    })
    this.publish(publishKeys)

    new HttpStage(this, 'Stage', {
      httpApi: this.api,
      autoDeploy: true,
      throttle: { rateLimit: throttle.requestsPerSecond, burstLimit: throttle.burst },
      accessLogSettings: { destination: new LogGroupLogDestination(this.log), format: accessLogFormat },
    })
  }

  /** Authorization servers read JWK sets without a signature of ours. */
  private publish(publishKeys: IFunction): void {
    const [route] = this.api.addRoutes({
      path: '/jwt/{jwtBuilder}/jwk',
      methods: [HttpMethod.GET],
      integration: integrationOf('PublishKeys', publishKeys),
      authorizer: new HttpNoneAuthorizer(),
    })
    if (!route) return
    passOverNag(route, { 'AwsSolutions-APIG4': publicHalvesOnly })
    passOverCheckov(route, { CKV_AWS_309: publicHalvesOnly })
  }

  /** The ARN by which IAM knows one connection's token. */
  tokenArn(connection: string): string {
    return this.arnOf(`POST/connections/${connection}/token`)
  }

  /**
   * Those by which it knows all calls of one connection's API. Method by method: a wildcard stands for slashes, too, so that
   * in place of a method it would let in `GET/connections/<another>/api/connections/<this one>/api/`.
   */
  callArns(connection: string): string[] {
    return methods.map((method) => this.arnOf(`${method}/connections/${connection}/api/*`))
  }

  private arnOf(methodAndPath: string): string {
    const resourceName = `$default/${methodAndPath}`
    return Stack.of(this).formatArn({ service: 'execute-api', resource: this.api.apiId, resourceName })
  }
}

function integrationOf(id: string, handler: IFunction): HttpLambdaIntegration {
  return new HttpLambdaIntegration(id, handler, { timeout: integrationTimeout })
}

function createAuthorizer(authorization: JwtAuthorization | undefined): IHttpRouteAuthorizer {
  if (!authorization) return new HttpIamAuthorizer()
  return new HttpJwtAuthorizer('Jwt', authorization.issuer, { jwtAudience: [...authorization.audience] })
}

/** Who called what and how it went; no query string, which may name a token. */
const accessLogFormat = AccessLogFormat.custom(
  JSON.stringify({
    requestId: '$context.requestId',
    time: '$context.requestTime',
    sourceIp: '$context.identity.sourceIp',
    caller: '$context.identity.userArn',
    subject: '$context.authorizer.claims.sub',
    method: '$context.httpMethod',
    path: '$context.path',
    route: '$context.routeKey',
    status: '$context.status',
    milliseconds: '$context.responseLatency',
    integrationError: '$context.integrationErrorMessage',
    authorizerError: '$context.authorizer.error',
  }),
)
