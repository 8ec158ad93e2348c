import {
  type DomainName,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Alias, type IFunction, type IVersion } from 'aws-cdk-lib/aws-lambda'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Construct, type IConstruct } from 'constructs'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { mutualTlsAlias } from '../../lib/http-interface/entry.ts'
import { ApiDomain, type ApiDomainSettings } from './api-domain.ts'
import { constructIdOf, functionTable, type Route, type Throttle } from './function-table.ts'
import { accessLogFormat, accessLogName, integrationTimeout, suppressAuthorization } from './http-interface.ts'
import { type LogSettings, RetainedLog } from './retained-log.ts'
import type { StageFunctions } from './stage-functions.ts'

/** Callers that cannot sign send a client certificate. Elements say which connections a certificate may use. */
export interface ClientCertificates {
  /** The name of an HTTP API of its own, other than that of the property `domain`. */
  readonly domain: ApiDomainSettings
  /** The certificates of the CAs whose clients may connect: a file in PEM in a bucket. */
  readonly trustStore: TrustStore
}

export interface TrustStore {
  readonly bucket: IBucket
  readonly key: string
  /**
   * The version of the file, in a bucket with versions. A new version counts only once it is set here and deployed.
   * @default - the version that is the latest when the domain is deployed
   */
  readonly version?: string
}

export interface CertificateApiProps extends LogSettings, ClientCertificates {
  readonly stage: string
  readonly functions: StageFunctions
  readonly throttle: Throttle
}

/** The functions that callers use. */
const functionIds = ['issueToken', 'callApi'] as const
const whyWithoutAuthorizer =
  'The domain demands a client certificate, and the function checks which connections its subject may use.'

/**
 * An HTTP API for callers with client certificates. It is reached by its domain alone, which demands a certificate of the trust store.
 * Only this API may invoke the aliases `_mtls`, behind which the functions believe the certificate in an event.
 */
export class CertificateApi extends Construct {
  readonly api: HttpApi
  readonly domain: DomainName
  readonly log: RetainedLog

  constructor(scope: Construct, id: string, props: CertificateApiProps) {
    super(scope, id)
    const { stage, functions, domain, trustStore, throttle } = props
    const name = `${serviceName(stage)}-certificates`
    this.log = new RetainedLog(this, 'AccessLog', { ...props, logGroupName: accessLogName(name) })
    this.api = new HttpApi(this, 'Api', {
      apiName: name,
      description: 'Tokenwell: access tokens by connection, for callers with client certificates',
      createDefaultStage: false,
      // At its own URL the API would answer without a certificate.
      disableExecuteApiEndpoint: true,
    })
    const httpStage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      autoDeploy: true,
      throttle: { rateLimit: throttle.requestsPerSecond, burstLimit: throttle.burst },
      accessLogSettings: { destination: new LogGroupLogDestination(this.log), format: accessLogFormat },
    })
    for (const functionId of functionIds) httpStage.node.addDependency(...this.addRoutes(functionId, functions))
    this.domain = new ApiDomain(this, 'Domain', {
      ...domain,
      api: this.api,
      stage: httpStage,
      mtls: { ...trustStore },
    }).domainName
  }

  private addRoutes(functionId: (typeof functionIds)[number], functions: StageFunctions): IConstruct[] {
    // The CDK declares optional members that may also be undefined.
    const version = functions[functionId].lambda.currentVersion as IVersion
    const alias = new Alias(this, `${constructIdOf(functionId)}Alias`, {
      aliasName: mutualTlsAlias,
      version,
    }) as IFunction
    const integration = new HttpLambdaIntegration(constructIdOf(functionId), alias, { timeout: integrationTimeout })
    const routes: readonly Route[] = functionTable[functionId].routes
    return routes.flatMap(({ path, methods, isForUsers = false }) => {
      if (isForUsers) return []
      const added = this.api.addRoutes({
        path,
        methods: methods.map((method) => HttpMethod[method]),
        integration,
        authorizer: new HttpNoneAuthorizer(),
      })
      for (const route of added) suppressAuthorization(route, whyWithoutAuthorizer)
      return added
    })
  }
}
