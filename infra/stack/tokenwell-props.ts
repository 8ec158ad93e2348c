import { Token } from 'aws-cdk-lib'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { AlarmSettings } from './alarms.ts'
import { type ApiDomainSettings, checkDifferent, checkDomain } from './api-domain.ts'
import type { ClientCertificates } from './certificate-api.ts'
import { functionIds, functionTable, type Throttle } from './function-table.ts'
import type { GradualDeploymentSettings } from './gradual-deployment.ts'
import type { JwtAuthorization, ThrottleByFunction } from './http-interface.ts'
import type { Network } from './network.ts'
import { checkPublicUrl } from './public-url.ts'
import { maximumConcurrency } from './refresh-queue.ts'
import type { LogSettings } from './retained-log.ts'
import type { SigningKeySettings } from './rotated-keys.ts'
import type { MemoryMegabytes, ProvisionedConcurrency, ReservedConcurrency } from './stage-functions.ts'
import type { EarlierVersion } from './stage-resources.ts'
import type { TelemetrySettings } from './telemetry.ts'
import type { WebIdentity } from './web-identities.ts'

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
   * KMS keys that sign with `keyStore` elements which this construct does not deploy: `orders` for the location
   * `kms:alias/tokenwell/<stage>/orders`. `'*'` allows every key with an alias of the stage.
   * @default - only those of `elements`
   */
  readonly kmsKeys?: readonly string[]
  /**
   * The `awsWebIdentity` elements that this construct does not deploy: `{ audience, signingAlgorithm, durationSeconds, tagNames, connections }`.
   * @default - only those of `elements`
   */
  readonly webIdentities?: readonly WebIdentity[]
  /**
   * `false` in a second region of the stage, whose functions use the identity roles of the first one: see `infra/two-regions.md`.
   * @default true
   */
  readonly makesIdentityRoles?: boolean
  /**
   * The ARNs of the roles of functions in other regions of the stage, which may assume the identity roles too.
   * @default - only the functions of this stack
   */
  readonly identityRoleUsers?: readonly string[]
  /**
   * With a JWT authorizer, a claim of the caller's JWT decides which connections the caller may use.
   * @default - IAM decides
   */
  readonly authorization?: JwtAuthorization
  /**
   * Whether everybody may ask how a connection is used as a token endpoint (RFC 8414, OpenID Connect Discovery), for clients that ask before
   * they can sign or have a JWT. The function `publish-keys` answers then, the same for every name, so that nobody learns which connections
   * there are.
   * @default false
   */
  readonly publicDiscovery?: boolean
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
   * Moves the calls of the HTTP API to a new version of `issue-token` and `call-api` step by step: `{ config }`. Alarms roll it back. Direct
   * requests move after that, and all other functions at once.
   * @default - all calls move at once
   */
  readonly gradualDeployment?: GradualDeploymentSettings
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

/** @throws {Error} for a property that is not valid, before anything is deployed with it */
export function checkProperties({ stage, cache, ...props }: TokenwellProps): void {
  if (props.alarms === false && props.alarmSettings)
    throw new Error('alarmSettings has no effect, because alarms is false. Leave out one of them.')
  if (props.alarms === false && props.gradualDeployment)
    throw new Error(
      'gradualDeployment needs alarms, which roll a bad version back, but alarms is false. Leave out one of them.',
    )
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
  checkIdentities(props)
  const { memoryMegabytes = {}, throttleByFunction = {}, reservedConcurrency = {}, provisionedConcurrency = {} } = props
  const byFunction = { memoryMegabytes, throttleByFunction, reservedConcurrency, provisionedConcurrency }
  for (const [property, value] of Object.entries(byFunction)) checkFunctionNames(property, Object.keys(value))
  checkReserved(reservedConcurrency)
  checkProvisioned(provisionedConcurrency, reservedConcurrency)
}

function checkIdentities({ makesIdentityRoles, identityRoleUsers = [] }: Partial<TokenwellProps>): void {
  if (makesIdentityRoles === false && identityRoleUsers.length > 0)
    throw new Error(
      'identityRoleUsers has no effect with makesIdentityRoles: false, because the stack makes no identity roles. Set it in the region that makes them.',
    )
  const wrong = identityRoleUsers.find((arn) => !Token.isUnresolved(arn) && !roleArnForm.test(arn))
  if (wrong !== undefined)
    throw new Error(
      `identityRoleUsers: ${JSON.stringify(wrong)} is not the ARN of a role. Write arn:aws:iam::<account>:role/<name>, one for each function that gets tokens.`,
    )
}

const roleArnForm = /^arn:[\w-]+:iam::\d{12}:role\/[\w+=,.@/-]+$/

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
