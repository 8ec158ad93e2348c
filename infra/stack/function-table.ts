import type { Stack } from 'aws-cdk-lib'
import type { EventBus } from 'aws-cdk-lib/aws-events'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { CacheSecret } from './cache-secret.ts'
import {
  type FunctionGrant,
  mayChangePublishedKeys,
  mayDecrypt,
  mayEncrypt,
  mayFindDue,
  mayListElements,
  mayPutEvents,
  mayReadElements,
  mayReadPublishedKeys,
  mayReadRevokedKeys,
  mayReadSecret,
  mayReadSecretsOfStage,
  mayReceiveMessages,
  mayRotateSigningKeys,
  maySendMessages,
  maySignPublications,
  mayUseTable,
  mayUseTableButPublishedKeys,
  mayVerifyPublications,
} from './grants.ts'
import type { RefreshQueue } from './refresh-queue.ts'
import type { TokenTable } from './token-table.ts'

/*
 * Everything that tells one function from another. The stack, its API, metrics, dashboard, alarms and outputs and the local
 * run are made from these rows. This file loads no code of the CDK, because the local run reads it, too.
 */

/** The versions whose records are read while a deployment of theirs is upgraded. */
export type EarlierVersion = '0.1'

/** What the functions of one stage share. */
export interface StageResources {
  readonly stack: Stack
  readonly stage: string
  readonly publicUrl: string
  /** `dynamodb:<table>`, or the URL of a Valkey server. */
  readonly cachePlace: string
  /** Undefined where tokens are in Valkey. */
  readonly table: TokenTable | undefined
  readonly bus: EventBus
  readonly refreshes: RefreshQueue
  readonly cacheSecret: CacheSecret
  readonly publicationKey: IKey
  readonly encryptionKey?: IKey
  readonly connectionsClaim?: string
  readonly readRecordsOf?: EarlierVersion
}

/** Beyond it API Gateway answers 429. */
export interface Throttle {
  readonly requestsPerSecond: number
  readonly burst: number
}

export interface Route {
  readonly methods: readonly ('ANY' | 'DELETE' | 'GET' | 'POST')[]
  readonly path: string
  /** Why anybody may call it. Without a reason, a caller needs the authorization of the API. */
  readonly whyPublic?: string
  /** The most that it gets, where the operator says nothing else of its function. */
  readonly throttle?: Throttle
}

/** The service that invokes a function. It decides the shape of the function's events. */
export type Invoker = 'http-api' | 'schedule' | 'queue' | 'secrets-manager'

export interface FunctionRow {
  /** The folder under `functions`, and the name of the function for operators. */
  readonly name: string
  readonly invoker: Invoker
  /** Routes of the HTTP API that lead to it. */
  readonly routes: readonly Route[]
  readonly description: (stage: string) => string
  readonly memoryMegabytes: number
  readonly timeoutSeconds: number
  /** The variables that it reads, as `lib/application/environment.ts` names them. */
  readonly environment: (resources: StageResources) => Readonly<Record<string, string>>
  readonly grants: (resources: StageResources) => readonly FunctionGrant[]
  /** What becomes of a call that fails, so that Lambda need not keep it. */
  readonly whyNoDeadLetters: string
  /** The line of the dashboard that has its graph. */
  readonly dashboardLine: 'api calls' | 'signing keys' | 'functions'
  /** The output of the stack that names its log. */
  readonly logOutput: string
}

/** Enough of a processor to start in well under a second. */
const memoryMegabytes = 512
/** A little less than the 30 s after which an HTTP API gives up. */
const requestSeconds = 29
const callersWait = 'It is only invoked by callers who wait for the answer: nothing is queued that could be lost.'

export const functionTable = {
  issueToken: {
    name: 'issue-token',
    invoker: 'http-api',
    routes: [
      { methods: ['POST', 'DELETE'], path: '/connections/{connection}/token' },
      { methods: ['GET'], path: '/connections' },
    ],
    description: (stage) => `Tokenwell: a token for a connection of the stage ${stage}`,
    memoryMegabytes,
    timeoutSeconds: requestSeconds,
    environment: environmentWithClaim,
    grants: grantsForTokens,
    whyNoDeadLetters: callersWait,
    dashboardLine: 'functions',
    logOutput: 'FunctionLog',
  },
  callApi: {
    name: 'call-api',
    invoker: 'http-api',
    routes: [{ methods: ['ANY'], path: '/connections/{connection}/api/{path+}' }],
    description: (stage) => `Tokenwell: calls of APIs with the tokens of the stage ${stage}`,
    memoryMegabytes,
    timeoutSeconds: requestSeconds,
    environment: environmentWithClaim,
    grants: grantsForTokens,
    whyNoDeadLetters: callersWait,
    dashboardLine: 'api calls',
    logOutput: 'CallApiLog',
  },
  warmTokens: {
    name: 'warm-tokens',
    invoker: 'schedule',
    routes: [],
    description: (stage) => `Tokenwell: renews what will go stale of the stage ${stage}`,
    memoryMegabytes,
    // It ends before the next run begins, unless it was late: two at a time ask once for each token.
    timeoutSeconds: 55,
    environment: environmentWithKey,
    grants: (resources) => [
      ...grantsForPublishing(resources),
      ...(resources.table ? [mayFindDue(resources.table)] : []),
    ],
    whyNoDeadLetters: 'A run that fails says nothing that the next one, a minute later, does not find by itself.',
    dashboardLine: 'functions',
    logOutput: 'WarmTokensLog',
  },
  refreshToken: {
    name: 'refresh-token',
    invoker: 'queue',
    routes: [],
    description: (stage) => `Tokenwell: does what the events of the stage ${stage} ask for`,
    memoryMegabytes,
    timeoutSeconds: 60,
    environment: (resources) => ({
      ...environmentWithKey(resources),
      TOKENWELL_DEAD_LETTERS: `sqs:${resources.refreshes.deadLetters.queueUrl}`,
    }),
    grants: (resources) => [
      ...grantsForPublishing(resources),
      mayReceiveMessages(resources.refreshes.queue),
      maySendMessages(resources.refreshes.deadLetters),
    ],
    whyNoDeadLetters: 'Its messages stay in their queue, which has a dead-letter queue, until it is done with them.',
    dashboardLine: 'functions',
    logOutput: 'RefreshTokenLog',
  },
  publishKeys: {
    name: 'publish-keys',
    invoker: 'http-api',
    routes: [
      {
        methods: ['GET'],
        path: '/jwt/{jwtBuilder}/jwk',
        whyPublic: 'Public halves of keys, for whoever has to verify a signature.',
        // Anybody may ask. Even where each run waits 2 s for the table, no more than 80 run at a time: the rest of a quota of
        // 1,000 is for tokens.
        throttle: { requestsPerSecond: 20, burst: 40 },
      },
    ],
    description: (stage) => `Tokenwell: the JWK sets of the stage ${stage}`,
    memoryMegabytes,
    timeoutSeconds: 10,
    environment: environmentWithKey,
    // Anybody may call it: it reads public halves, and no secret but the password of a Valkey server.
    grants: ({ table, cacheSecret, publicationKey, encryptionKey }) => [
      table ? mayReadPublishedKeys(table) : mayReadSecret(cacheSecret),
      mayVerifyPublications(publicationKey),
      ...(encryptionKey ? [mayDecrypt(encryptionKey)] : []),
    ],
    whyNoDeadLetters: callersWait,
    dashboardLine: 'functions',
    logOutput: 'PublishKeysLog',
  },
  rotateKey: {
    name: 'rotate-key',
    invoker: 'secrets-manager',
    routes: [],
    description: (stage) => `Tokenwell: makes signing keys for the stage ${stage}`,
    memoryMegabytes,
    timeoutSeconds: 60,
    environment: environmentWithKey,
    grants: ({ stack, stage, table, cacheSecret, publicationKey, encryptionKey }) => [
      mayReadElements(stack, stage),
      mayRotateSigningKeys(stack, stage),
      ...(table ? [mayChangePublishedKeys(table), mayReadRevokedKeys(table)] : [mayReadSecret(cacheSecret)]),
      maySignPublications(publicationKey),
      ...(encryptionKey ? [mayDecrypt(encryptionKey), mayEncrypt(encryptionKey)] : []),
    ],
    whyNoDeadLetters: 'Secrets Manager repeats a step that fails, and an alarm tells of it.',
    dashboardLine: 'signing keys',
    logOutput: 'RotateKeyLog',
  },
} as const satisfies Readonly<Record<string, FunctionRow>>

export type FunctionId = keyof typeof functionTable
/** The name of a function's folder. */
export type FunctionName = (typeof functionTable)[FunctionId]['name']

export const functionIds = Object.keys(functionTable) as readonly FunctionId[]

/** One value for each function, in the order of the table. */
export function forEachFunction<Value>(make: (id: FunctionId, row: FunctionRow) => Value): {
  readonly [Id in FunctionId]: Value
} {
  const entries = functionIds.map((id) => [id, make(id, functionTable[id])] as const)
  return Object.fromEntries(entries) as Record<FunctionId, Value>
}

/** A function's id in the stack, and the beginning of the ids of its alarms. */
export function constructIdOf(id: FunctionId): string {
  return `${id.charAt(0).toUpperCase()}${id.slice(1)}`
}

function commonEnvironment({ stage, publicUrl, cachePlace, bus, readRecordsOf }: StageResources) {
  return {
    TOKENWELL_STAGE: stage,
    TOKENWELL_PUBLIC_URL: publicUrl,
    TOKENWELL_ELEMENTS: 'parameter-store',
    TOKENWELL_SECRETS: 'secrets-manager',
    TOKENWELL_CACHE: cachePlace,
    TOKENWELL_EVENTS: `eventbridge:${bus.eventBusName}`,
    ...(readRecordsOf && { TOKENWELL_READ_RECORDS_OF: readRecordsOf }),
  }
}

/** For a function that publishes keys, or shows what is published. */
function environmentWithKey(resources: StageResources) {
  return { ...commonEnvironment(resources), TOKENWELL_PUBLICATION_KEY: `kms:${resources.publicationKey.keyArn}` }
}

/** For a function whose callers may each use some connections: the claim of a JWT that lists them. */
function environmentWithClaim(resources: StageResources) {
  const { connectionsClaim } = resources
  return {
    ...commonEnvironment(resources),
    ...(connectionsClaim !== undefined && { TOKENWELL_CONNECTIONS_CLAIM: connectionsClaim }),
  }
}

/**
 * For a function that requests tokens, shares them with the fleet and raises events. It lists the ids of elements to suggest
 * the one that a dangling reference may mean.
 */
function grantsForTokens(resources: StageResources): FunctionGrant[] {
  const { table } = resources
  return [...(table ? [mayUseTableButPublishedKeys(table)] : []), ...grantsWithoutRecords(resources)]
}

/** For a function that publishes keys besides. */
function grantsForPublishing(resources: StageResources): FunctionGrant[] {
  const { table, publicationKey } = resources
  return [
    ...(table ? [mayUseTable(table)] : []),
    maySignPublications(publicationKey),
    ...grantsWithoutRecords(resources),
  ]
}

function grantsWithoutRecords({ stack, stage, encryptionKey, bus }: StageResources): FunctionGrant[] {
  return [
    mayReadElements(stack, stage),
    mayListElements(stack, stage),
    mayReadSecretsOfStage(stack, stage),
    ...(encryptionKey ? [mayDecrypt(encryptionKey)] : []),
    mayPutEvents(bus),
  ]
}
