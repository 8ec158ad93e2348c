import { type LogEvent, meter } from '../../lib/log/log-event.ts'

/*
 * What one call, one renewal, and one hour of a connection use. test/infra/cost/quantities.test.ts measures the counted ones on the
 * code. The assumed ones depend on a network, a server or Lambda, and only a real account shows them.
 */

/** Counted on the code, for a token of 1,200 characters and a connection of six elements. */
export const counted = {
  /** Reading again whether a token in memory is still the current one. */
  confirmation: { readUnits: 2 },
  /** A warm run's renewal of one token. Index entries are among the write units. */
  renewal: { readUnits: 11, writeUnits: 6, parameterCalls: 5, parameters: 7, customEvents: 1, logBytes: 1_210 },
  /** The hourly check of one connection. */
  reconciliation: { readUnits: 3, parameterCalls: 5, parameters: 7, secretCalls: 1, customEvents: 1 },
  /** The hourly signature of one jwtBuilder's publication. */
  publication: { readUnits: 5, writeUnits: 1, signatures: 1 },
  /** The parts of the index that one warm run asks for due tokens. An empty answer is half a read unit. */
  warmRun: { queries: 8 },
  /** Both records of a connection with one token. */
  recordBytes: 2_200,
  /** A token that a caller gets: the line token_issued, its metrics with and without the connection, and the answer's body. */
  hit: { lineBytes: 430, metricsBytes: 320, stageMetricsBytes: 274, answerBytes: 1_357 },
} as const

/** Not counted, because the code does not decide it. */
export const assumed = {
  tokenSeconds: 3_600,
  memoryMegabytes: 512,
  /** Lambda bills whole milliseconds. */
  hitMilliseconds: 2,
  /** How long the table takes. */
  tableMilliseconds: 5,
  /** How long a token endpoint takes, with elements, secret and table. */
  renewalMilliseconds: 1_000,
  backgroundMilliseconds: 100,
  initMilliseconds: 700,
  /** Lambda replaces an instance a few times a day. */
  startsADay: 12,
  /** Instances that are there in addition to those that work at the same time. */
  idleInstances: 3,
  /** Lambda's pollers ask an empty queue so often, 20 s each. */
  pollers: 5,
  headerBytes: 300,
} as const

/** How often each token is renewed: at 80 % of the usable lifetime, one and a half minutes earlier on average. */
export const renewalSeconds = assumed.tokenSeconds * 0.99 * 0.8 - 90

const orders = { connection: 'orders', authorizationServer: 'theServer' } as const

/** The events of an hour without failures. */
const everyHour: readonly LogEvent[] = [
  { event: 'token_issued', connection: 'orders', caller: 'direct', tokenId: 'id', source: 'memory', secondsLeft: 1 },
  { event: 'token_issued', connection: 'orders', caller: 'direct', tokenId: 'id', source: 'cache', secondsLeft: 1 },
  { event: 'token_obtained', ...orders, milliseconds: 1 },
  { event: 'warm_run_ended', due: 1, renewed: 1, failed: 0, left: 0, leftAt: [], milliseconds: 1 },
  { event: 'event_answered', type: 'ReconcileElements', milliseconds: 1 },
  {
    event: 'keys_published',
    jwtBuilder: 'theBuilder',
    keys: 2,
    signatureAgeSeconds: 1,
    keyAgeSeconds: 1,
    isKeyOverdue: false,
  },
  { event: 'secret_expiry_checked', secret: 'tokenwell/prod/orders', expiresOn: '2027-01-31', daysLeft: 60 },
]

/** The custom metrics of CloudWatch: each name counts once for each set of dimensions. */
export interface MetricCounts {
  readonly ofStage: number
  readonly ofConnection: number
  readonly ofJwtBuilder: number
}

/** The metrics that a stage writes in every hour without failures. */
export function metricsWithoutFailures(): MetricCounts {
  const [stage, connection, jwtBuilder] = [new Set<string>(), new Set<string>(), new Set<string>()]
  for (const { values, dimensions } of everyHour.flatMap((event) => meter(event) ?? []))
    for (const name of Object.keys(values)) {
      stage.add(name)
      if (dimensions.connection !== undefined) connection.add(name)
      if (dimensions.jwtBuilder !== undefined) jwtBuilder.add(name)
    }
  return { ofStage: stage.size, ofConnection: connection.size, ofJwtBuilder: jwtBuilder.size }
}

const requestId = '8f2d6c1e-1b7a-4c58-9a56-3f1f0f9c7d11'

/**
 * What Lambda logs of each run at its level info, in the form of the Telemetry API's schema
 * (https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html).
 */
const platformLines = [
  { time: '2026-11-30T12:00:00.000Z', type: 'platform.start', record: { requestId, version: '$LATEST' } },
  {
    time: '2026-11-30T12:00:00.002Z',
    type: 'platform.report',
    record: {
      requestId,
      metrics: { durationMs: 1.53, billedDurationMs: 2, memorySizeMB: 512, maxMemoryUsedMB: 120 },
      status: 'success',
    },
  },
]

export const platformBytes = Buffer.byteLength(platformLines.map((line) => `${JSON.stringify(line)}\n`).join(''))
