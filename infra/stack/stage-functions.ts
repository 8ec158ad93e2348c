import { Duration } from 'aws-cdk-lib'
import type { EventBus } from 'aws-cdk-lib/aws-events'
import type { Construct } from 'constructs'
import type { CacheSecret } from './cache-secret.ts'
import {
  type FunctionGrant,
  mayDecrypt,
  mayEncrypt,
  mayFindDue,
  mayListElements,
  mayPutEvents,
  mayReadElements,
  mayReadSecret,
  mayReadSecrets,
  mayReadTable,
  mayReceiveMessages,
  mayRotateSigningKeys,
  maySendMessages,
  mayUseRecords,
  mayUseTable,
} from './grants.ts'
import type { FunctionNetwork } from './network.ts'
import type { RefreshQueue } from './refresh-queue.ts'
import type { LogSettings } from './retained-log.ts'
import { TokenFunction } from './token-function.ts'
import type { TokenTable } from './token-table.ts'

/** The name of a function's folder. */
export type FunctionName = 'issue-token' | 'call-api' | 'warm-tokens' | 'refresh-token' | 'publish-keys' | 'rotate-key'

const callersWait = 'It is only invoked by callers who wait for the answer: nothing is queued that could be lost.'

export interface StageFunctionsProps extends LogSettings {
  readonly stage: string
  readonly publicUrl: string
  /** `dynamodb:<table>`, or the URL of a Valkey server. */
  readonly cachePlace: string
  readonly table: TokenTable | undefined
  readonly bus: EventBus
  readonly refreshes: RefreshQueue
  readonly cacheSecret: CacheSecret
  readonly connectionsClaim?: string
  readonly network?: FunctionNetwork
  readonly memoryMegabytes?: MemoryMegabytes
}

export type MemoryMegabytes = Readonly<Partial<Record<FunctionName, number>>>

export interface StageFunctions {
  readonly issueToken: TokenFunction
  readonly callApi: TokenFunction
  readonly warmTokens: TokenFunction
  readonly refreshToken: TokenFunction
  readonly publishKeys: TokenFunction
  readonly rotateKey: TokenFunction
}

/** The functions of a stage, each with what all have and with what it alone has. */
export function createStageFunctions(scope: Construct, props: StageFunctionsProps): StageFunctions {
  return {
    issueToken: createIssueToken(scope, props),
    callApi: createCallApi(scope, props),
    warmTokens: createWarmTokens(scope, props),
    refreshToken: createRefreshToken(scope, props),
    publishKeys: createPublishKeys(scope, props),
    rotateKey: createRotateKey(scope, props),
  }
}

function createIssueToken(scope: Construct, props: StageFunctionsProps): TokenFunction {
  return new TokenFunction(scope, 'IssueToken', {
    ...settingsOf('issue-token', props),
    ...settingsOfGuarded(scope, props),
    description: `Tokenwell: a token for a connection of the stage ${props.stage}`,
  })
}

function createCallApi(scope: Construct, props: StageFunctionsProps): TokenFunction {
  return new TokenFunction(scope, 'CallApi', {
    ...settingsOf('call-api', props),
    ...settingsOfGuarded(scope, props),
    description: `Tokenwell: calls of APIs with the tokens of the stage ${props.stage}`,
  })
}

function createWarmTokens(scope: Construct, props: StageFunctionsProps): TokenFunction {
  const { stage, table } = props
  return new TokenFunction(scope, 'WarmTokens', {
    ...settingsOf('warm-tokens', props),
    description: `Tokenwell: renews what will go stale of the stage ${stage}`,
    environment: environmentOfAll(props),
    grants: [...grantsForTokens(scope, props), ...(table ? [mayFindDue(table)] : [])],
    // It ends before the next run begins, unless it was late: two at a time ask once for each token.
    timeout: Duration.seconds(55),
    whyNoDeadLetters: 'A run that fails says nothing that the next one, a minute later, does not find by itself.',
  })
}

function createRefreshToken(scope: Construct, props: StageFunctionsProps): TokenFunction {
  const { stage, refreshes } = props
  return new TokenFunction(scope, 'RefreshToken', {
    ...settingsOf('refresh-token', props),
    description: `Tokenwell: does what the events of the stage ${stage} ask for`,
    environment: { ...environmentOfAll(props), TOKENWELL_DEAD_LETTERS: `sqs:${refreshes.deadLetters.queueUrl}` },
    grants: [
      ...grantsForTokens(scope, props),
      mayReceiveMessages(refreshes.queue),
      maySendMessages(refreshes.deadLetters),
    ],
    timeout: Duration.seconds(60),
    whyNoDeadLetters: 'Its messages stay in their queue, which has a dead-letter queue, until it is done with them.',
  })
}

/** Anybody may call it: it reads public halves, and no secret but that of the cache, where a Valkey server wants a password. */
function createPublishKeys(scope: Construct, props: StageFunctionsProps): TokenFunction {
  const { stage, table, encryptionKey, cacheSecret } = props
  return new TokenFunction(scope, 'PublishKeys', {
    ...settingsOf('publish-keys', props),
    description: `Tokenwell: the JWK sets of the stage ${stage}`,
    environment: environmentOfAll(props),
    grants: [
      table ? mayReadTable(table) : mayReadSecret(cacheSecret),
      ...(encryptionKey ? [mayDecrypt(encryptionKey)] : []),
    ],
    timeout: Duration.seconds(10),
    whyNoDeadLetters: callersWait,
  })
}

function createRotateKey(scope: Construct, props: StageFunctionsProps): TokenFunction {
  const { stage, table, encryptionKey, cacheSecret } = props
  return new TokenFunction(scope, 'RotateKey', {
    ...settingsOf('rotate-key', props),
    description: `Tokenwell: makes signing keys for the stage ${stage}`,
    environment: environmentOfAll(props),
    grants: [
      mayReadElements(scope, stage),
      mayRotateSigningKeys(scope, stage),
      table ? mayUseRecords(table) : mayReadSecret(cacheSecret),
      ...(encryptionKey ? [mayDecrypt(encryptionKey), mayEncrypt(encryptionKey)] : []),
    ],
    timeout: Duration.seconds(60),
    whyNoDeadLetters: 'Secrets Manager repeats a step that fails, and an alarm tells of it.',
  })
}

function settingsOf(name: FunctionName, props: StageFunctionsProps) {
  const {
    encryptionKey,
    removalPolicy,
    logRetention,
    network,
    memoryMegabytes: { [name]: memoryMegabytes } = {},
  } = props
  return {
    name,
    ...(encryptionKey && { encryptionKey }),
    ...(removalPolicy && { removalPolicy }),
    ...(logRetention && { logRetention }),
    ...(network && { network }),
    ...(memoryMegabytes !== undefined && { memoryMegabytes }),
  }
}

/** Of what callers reach by HTTP, each with the right to some connections. */
function settingsOfGuarded(scope: Construct, props: StageFunctionsProps) {
  const { connectionsClaim } = props
  return {
    environment: {
      ...environmentOfAll(props),
      ...(connectionsClaim !== undefined && { TOKENWELL_CONNECTIONS_CLAIM: connectionsClaim }),
    },
    grants: grantsForTokens(scope, props),
    // A little less than the 30 s after which an HTTP API gives up.
    timeout: Duration.seconds(29),
    whyNoDeadLetters: callersWait,
  }
}

/** What `lib/application/environment.ts` reads. */
function environmentOfAll({ stage, publicUrl, cachePlace, bus }: StageFunctionsProps): Record<string, string> {
  return {
    TOKENWELL_STAGE: stage,
    TOKENWELL_PUBLIC_URL: publicUrl,
    TOKENWELL_ELEMENTS: 'parameter-store',
    TOKENWELL_SECRETS: 'secrets-manager',
    TOKENWELL_CACHE: cachePlace,
    TOKENWELL_EVENTS: `eventbridge:${bus.eventBusName}`,
  }
}

/** Of what asks for tokens, shares them with the fleet and says so; by a list of ids it names the one that a dangling reference may mean. */
function grantsForTokens(scope: Construct, { stage, table, encryptionKey, bus }: StageFunctionsProps): FunctionGrant[] {
  return [
    mayReadElements(scope, stage),
    mayListElements(scope, stage),
    mayReadSecrets(scope, stage),
    ...(table ? [mayUseTable(table)] : []),
    ...(encryptionKey ? [mayDecrypt(encryptionKey)] : []),
    mayPutEvents(bus),
  ]
}
