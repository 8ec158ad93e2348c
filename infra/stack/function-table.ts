import { discoveryRoutes } from '../../lib/http-interface/server-metadata.ts'
import {
  type FunctionGrant,
  mayChangePublishedKeys,
  mayDecrypt,
  mayEncrypt,
  mayFindDue,
  mayReadElements,
  mayReadPublishedKeys,
  mayReadRevokedKeys,
  mayReadSecret,
  mayReceiveMessages,
  mayRotateSigningKeys,
  maySendMessages,
  maySignPublications,
  mayVerifyPublications,
} from './grants.ts'
import { identityRoleArn } from './identity-role-name.ts'
import type { StageResources } from './stage-resources.ts'
import { telemetryVariables } from './telemetry.ts'
import { grantsForPublishing, grantsForTokens } from './token-grants.ts'

/*
 * Everything that differs between the functions. The stack with its API, metrics, dashboard, alarms and outputs is made from these
 * rows, and so is the local run. This file loads no code of the CDK, because the local run reads it too.
 */

/** Above these limits API Gateway answers 429. */
export interface Throttle {
  readonly requestsPerSecond: number
  readonly burst: number
}

export interface Route {
  readonly methods: readonly ('ANY' | 'DELETE' | 'GET' | 'POST')[]
  readonly path: string
  /** Why the route needs no authorization. Without a reason, a caller needs the authorization of the API. */
  readonly whyPublic?: string
  /** Whether it hands out tokens of users that the path names. Client certificates give no right to it. */
  readonly isForUsers?: boolean
  /** Whether it describes a connection to clients. The property `publicDiscovery` gives it to the public function. */
  readonly isDiscovery?: boolean
  /** The highest throttle of the route, unless the operator sets another one for its function, or reserves concurrency for it. */
  readonly throttle?: Throttle
}

/** The service that invokes a function. It decides the shape of the function's events. */
export type Invoker = 'http-api' | 'schedule' | 'queue' | 'secrets-manager'

export interface FunctionRow {
  /** The folder under `functions`, and the name of the function for operators. */
  readonly name: string
  readonly invoker: Invoker
  /** The routes of the HTTP API that invoke the function. */
  readonly routes: readonly Route[]
  readonly description: (stage: string) => string
  readonly memoryMegabytes: number
  readonly timeoutSeconds: number
  /** The environment variables that the function reads. `lib/application/environment.ts` defines them. */
  readonly environment: (resources: StageResources) => Readonly<Record<string, string>>
  readonly grants: (resources: StageResources) => readonly FunctionGrant[]
  /** What happens after a failed call, and why Lambda does not need a dead-letter queue for it. */
  readonly whyNoDeadLetters: string
  /** The line of the dashboard that shows the function's graph. */
  readonly dashboardLine: 'api calls' | 'signing keys' | 'functions'
  /** The output of the stack that names the function's log. */
  readonly logOutput: string
}

/** Lambda assigns CPU by memory: with 512 MB a function starts in well under a second. */
const memoryMegabytes = 512
/** A little less than the 30 s after which an HTTP API stops waiting. */
const requestSeconds = 29
const callersWait = 'Every caller waits for the answer, so no call is queued that could be lost.'

// The route is public. Even if each run waits 2 s for the table, at most 80 run at a time, so the rest of a quota of 1,000 is left for
// tokens. Descriptions of connections need no table.
const publicThrottle: Throttle = { requestsPerSecond: 20, burst: 40 }

export const functionTable = {
  issueToken: {
    name: 'issue-token',
    invoker: 'http-api',
    routes: [
      { methods: ['POST', 'DELETE'], path: '/connections/{connection}/token' },
      { methods: ['POST'], path: '/connections/{connection}/as/{subject}/token', isForUsers: true },
      { methods: ['GET'], path: '/connections' },
      ...discoveryRoutes().map(discoveryRoute),
    ],
    description: (stage) => `Tokenwell: issues tokens for the connections of the stage ${stage}`,
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
    routes: [
      {
        methods: ['ANY'],
        path: '/connections/{connection}/api/{path+}',
        // A run takes as long as the API. If an API hangs, 30 calls a second are 870 runs, and a quota of 1,000 has room for tokens.
        throttle: { requestsPerSecond: 30, burst: 60 },
      },
    ],
    description: (stage) => `Tokenwell: calls APIs with the tokens of the stage ${stage}`,
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
    description: (stage) => `Tokenwell: renews the tokens of the stage ${stage} before they go stale`,
    memoryMegabytes,
    // A run ends before the next one begins, unless it started late. Two runs at a time request each token only once.
    timeoutSeconds: 55,
    environment: (resources) => ({ ...environmentWithKey(resources), ...identityVariable(resources) }),
    grants: (resources) => [
      ...grantsForPublishing(resources),
      ...(resources.table ? [mayFindDue(resources.table)] : []),
    ],
    whyNoDeadLetters: 'The next run, a minute later, finds everything that a failed run has left.',
    dashboardLine: 'functions',
    logOutput: 'WarmTokensLog',
  },
  refreshToken: {
    name: 'refresh-token',
    invoker: 'queue',
    routes: [],
    description: (stage) => `Tokenwell: handles the events of the stage ${stage}`,
    memoryMegabytes,
    timeoutSeconds: 60,
    environment: (resources) => ({
      ...environmentWithKey(resources),
      ...identityVariable(resources),
      TOKENWELL_DEAD_LETTERS: `sqs:${resources.refreshes.deadLetters.queueUrl}`,
    }),
    grants: (resources) => [
      ...grantsForPublishing(resources),
      mayReceiveMessages(resources.refreshes.queue),
      maySendMessages(resources.refreshes.deadLetters),
    ],
    whyNoDeadLetters: 'Messages stay in their queue until they are handled, and that queue has a dead-letter queue.',
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
        whyPublic: 'Public keys, for every server that verifies a signature.',
        throttle: publicThrottle,
      },
    ],
    description: (stage) => `Tokenwell: serves the JWK sets of the stage ${stage}`,
    memoryMegabytes,
    timeoutSeconds: 10,
    environment: environmentWithKey,
    // The route is public, so the function reads public keys and no secret except the password of a Valkey server.
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
    whyNoDeadLetters: 'Secrets Manager repeats a step that fails, and an alarm reports the failure.',
    dashboardLine: 'signing keys',
    logOutput: 'RotateKeyLog',
  },
} as const satisfies Readonly<Record<string, FunctionRow>>

interface DiscoverySettings {
  readonly publicUrl?: string
  readonly publicDiscovery?: boolean
}

/** The routes of a function, as these properties of the stage have them. */
export function routesOf(id: FunctionId, { publicUrl, publicDiscovery = false }: DiscoverySettings): readonly Route[] {
  const routes: readonly Route[] = functionTable[id].routes
  const others = routes.filter(({ isDiscovery = false }) => !isDiscovery)
  const discovery = discoveryRoutes(publicUrl).map(discoveryRoute)
  if (id === 'issueToken' && !publicDiscovery) return [...others, ...discovery]
  if (id !== 'publishKeys' || !publicDiscovery) return others
  return [
    ...others,
    ...discovery.map((route) => ({ ...route, whyPublic: whyPublicDiscovery, throttle: publicThrottle })),
  ]
}

const whyPublicDiscovery = 'The operator set publicDiscovery. The answer is the same for each name, and has no secret.'

function discoveryRoute({ path }: { readonly path: string }) {
  return { methods: ['GET'], path, isDiscovery: true } as const
}

export type FunctionId = keyof typeof functionTable
/** The name of a function's folder. */
export type FunctionName = (typeof functionTable)[FunctionId]['name']
/** A folder of functions. `put-elements` is no row: only a stack with elements has it, and only deployments invoke it. */
export type FunctionFolder = FunctionName | 'put-elements'

export const functionIds = Object.keys(functionTable) as readonly FunctionId[]

/** The functions that get tokens. They alone sign with KMS keys and ask AWS for identity tokens. */
export const idsOfTokenFunctions = [
  'issueToken',
  'callApi',
  'warmTokens',
  'refreshToken',
] as const satisfies FunctionId[]

/** One value for each function, in the order of the table. */
export function forEachFunction<Value>(make: (id: FunctionId, row: FunctionRow) => Value): {
  readonly [Id in FunctionId]: Value
} {
  const entries = functionIds.map((id) => [id, make(id, functionTable[id])] as const)
  return Object.fromEntries(entries) as Record<FunctionId, Value>
}

/** A function's id in the stack, which is also the beginning of its alarms' ids. */
export function constructIdOf(id: FunctionId): string {
  return `${id.charAt(0).toUpperCase()}${id.slice(1)}`
}

export function commonEnvironment({ stage, publicUrl, cachePlace, bus, readRecordsOf, telemetry }: StageResources) {
  return {
    TOKENWELL_STAGE: stage,
    TOKENWELL_PUBLIC_URL: publicUrl,
    TOKENWELL_ELEMENTS: 'parameter-store',
    TOKENWELL_SECRETS: 'secrets-manager',
    TOKENWELL_CACHE: cachePlace,
    TOKENWELL_EVENTS: `eventbridge:${bus.eventBusName}`,
    ...(readRecordsOf && { TOKENWELL_READ_RECORDS_OF: readRecordsOf }),
    ...telemetryVariables(telemetry),
  }
}

/** For a function that publishes keys, or serves published keys. */
function environmentWithKey(resources: StageResources) {
  return { ...commonEnvironment(resources), TOKENWELL_PUBLICATION_KEY: `kms:${resources.publicationKey.keyArn}` }
}

/** The role of the stage. The role of a connection has its name and that of the connection. */
function identityVariable({ stack, stage, identityRoles }: StageResources) {
  return { ...(identityRoles.length > 0 && { TOKENWELL_IDENTITY_ROLE: identityRoleArn(stack, stage) }) }
}

/**
 * For a function whose callers may each use some connections. The JWT claim lists the connections of a caller. A function that signs with
 * a KMS key verifies the publication that says which one.
 */
function environmentWithClaim(resources: StageResources) {
  const { connectionsClaim, kmsAliases } = resources
  return {
    ...(kmsAliases.length > 0 ? environmentWithKey(resources) : commonEnvironment(resources)),
    ...identityVariable(resources),
    ...(connectionsClaim !== undefined && { TOKENWELL_CONNECTIONS_CLAIM: connectionsClaim }),
  }
}
