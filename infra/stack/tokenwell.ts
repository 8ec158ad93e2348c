import { Token } from 'aws-cdk-lib'
import type { Connections, IConnectable } from 'aws-cdk-lib/aws-ec2'
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { isElementId } from '../../lib/configuration/element.ts'
import { Alarms } from './alarms.ts'
import { CacheSecret } from './cache-secret.ts'
import { ElementParameters } from './element-parameters.ts'
import { mayDecrypt, mayReadElements, mayReadSecrets, mayUseTable } from './grants.ts'
import { HttpInterface, type JwtAuthorization, type Throttle } from './http-interface.ts'
import type { Network } from './network.ts'
import { OperatorsDashboard } from './operators-dashboard.ts'
import type { LogSettings } from './retained-log.ts'
import { createStackMetrics } from './stack-metrics.ts'
import { TokenFunction } from './token-function.ts'
import { TokenTable } from './token-table.ts'

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
  readonly memoryMegabytes?: number
}

/** Everything that hands out the tokens of one stage. */
export class Tokenwell extends Construct implements IConnectable {
  readonly issueToken: TokenFunction
  readonly http: HttpInterface
  readonly cacheSecret: CacheSecret
  /** None where tokens are in Valkey. */
  readonly table: TokenTable | undefined
  private readonly isBehindIam: boolean

  constructor(scope: Construct, id: string, props: TokenwellProps) {
    super(scope, id)
    const { stage, elements, authorization, alarms } = props
    const publicUrl = readSurroundings(props)
    this.isBehindIam = authorization === undefined
    this.table = props.cache ? undefined : new TokenTable(this, 'Table', props)
    this.cacheSecret = new CacheSecret(this, 'CacheSecret', props)
    if (elements !== undefined) new ElementParameters(this, 'Elements', { stage, publicUrl, path: elements })

    this.issueToken = this.createIssueToken(props)
    this.http = new HttpInterface(this, 'Http', { ...props, issueToken: this.issueToken.lambda })
    const metrics = createStackMetrics(stage, this.issueToken.lambda, this.http.api)
    new OperatorsDashboard(this, 'Dashboard', { stage, metrics })
    if (alarms !== false) new Alarms(this, 'Alarms', { metrics, ...(alarms && { topic: alarms }) })
  }

  /** The security groups of the functions, where they are in a VPC. */
  get connections(): Connections {
    return this.issueToken.lambda.connections
  }

  /** Lets somebody get the tokens of one connection. */
  grantToken(grantee: IGrantable, connection: string): Grant {
    if (!this.isBehindIam)
      throw new Error('Behind a JWT authorizer a claim says who may use which connection, not IAM.')
    if (!isElementId(connection)) throw new Error(`${JSON.stringify(connection)} can't be a connection's name.`)
    return Grant.addToPrincipal({
      grantee,
      actions: ['execute-api:Invoke'],
      resourceArns: [this.http.tokenArn(connection)],
    })
  }

  /**
   * Lets somebody invoke `issue-token` directly, and thereby use every connection of this stage: nothing decides any more
   * which. Prefer `grantToken`.
   */
  grantInvoke(grantee: IGrantable): Grant {
    return this.issueToken.lambda.grantInvoke(grantee)
  }

  private createIssueToken(props: TokenwellProps): TokenFunction {
    const { stage, encryptionKey, cache } = props
    return new TokenFunction(this, 'IssueToken', {
      ...props,
      ...cache,
      name: 'issue-token',
      description: `Tokenwell: a token for a connection of the stage ${stage}`,
      environment: this.environmentOf(props),
      grants: [
        ...mayReadElements(this, stage),
        mayReadSecrets(this, stage),
        ...(this.table ? [mayUseTable(this.table)] : []),
        ...(encryptionKey ? [mayDecrypt(encryptionKey)] : []),
      ],
    })
  }

  /** What `functions/issue-token/environment.ts` reads. */
  private environmentOf({ stage, publicUrl, authorization, cache }: TokenwellProps): Record<string, string> {
    return {
      TOKENWELL_STAGE: stage,
      TOKENWELL_PUBLIC_URL: publicUrl,
      TOKENWELL_ELEMENTS: 'parameter-store',
      TOKENWELL_SECRETS: 'secrets-manager',
      TOKENWELL_CACHE: this.table ? `dynamodb:${this.table.tableName}` : (cache?.valkeyUrl ?? ''),
      ...(authorization && { TOKENWELL_CONNECTIONS_CLAIM: authorization.connectionsClaim }),
    }
  }
}

/** @throws {Error} where a name or address isn't one, before anything is deployed under it */
function readSurroundings({ stage, publicUrl, cache }: TokenwellProps): string {
  if (Token.isUnresolved(stage) || !/^[A-Za-z0-9_-]{1,32}$/.test(stage))
    throw new Error('stage must be a name of at most 32 letters, digits, _ and -, known before the deployment.')
  if (Token.isUnresolved(publicUrl) || !publicUrl.startsWith('https://') || !URL.canParse(publicUrl))
    throw new Error(
      'publicUrl must be the https:// address at which callers reach Tokenwell, known before the deployment.',
    )
  if (cache && !/^(valkey|redis)s?:\/\//.test(cache.valkeyUrl))
    throw new Error('valkeyUrl must be valkeys://<host>:<port>, or valkey://<host>:<port> without TLS.')
  return publicUrl
}
