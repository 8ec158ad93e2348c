import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createHandler } from '../../functions/issue-token/handler.ts'
import { type PriceName, prices } from '../../infra/cost/prices.ts'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { createPowertoolsLog } from '../../lib/adapters/log/powertools.ts'
import { memoryRecords } from '../../lib/adapters/process/memory-records.ts'
import { createApplication } from '../../lib/application/application.ts'
import type { RecordStore, StoredRecord } from '../../lib/fleet/record-store.ts'
import { createHttpEvent, tokenRequest } from '../support/functions/load-function.ts'
import type { FarEnd } from './far-end.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { type CleanUp, openTokenwell, tellAll } from './tokenwell.ts'

/* The cost of a million tokens a day on AWS: the units that this bench counts, times prices. */

/** For small quantities. */
const price = (name: PriceName) => prices[name].tiers[0][1]

/** The account that the cost is computed for. */
const account = {
  tokensADay: 1_000_000,
  connections: 100,
  instances: 20,
  tokenSeconds: 3_600,
  memoryMegabytes: 512,
  /** Lambda gives a function with this much memory one whole processor. */
  megabytesOfProcessor: 1_769,
  /**
   * In milliseconds: how long an instance waits for the table, and what Lambda's runtime costs on top of the function.
   */
  tableMilliseconds: 5,
  runtimeMilliseconds: 1,
} as const

const daySeconds = 86_400
const memorySeconds = 30
/** An instance reads each of its secrets once in this time. */
const secretSeconds = 300

interface Counted {
  readUnits: number
  writeUnits: number
  logBytes: number
}

export async function benchCost(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  await farEnd.set({ expiresIn: account.tokenSeconds })
  const instance = await createCountedInstance(t, farEnd)
  await instance.ask()
  const first = instance.taken()
  for (let index = 0; index < (isShort ? 10 : 2_000); index++) await instance.ask()
  instance.taken()

  const calls = isShort ? 50 : 5_000
  const before = process.cpuUsage()
  for (let index = 0; index < calls; index++) await instance.ask()
  const { user, system } = process.cpuUsage(before)
  const { logBytes } = instance.taken()
  instance.age(memorySeconds)
  await instance.ask()
  const confirmed = instance.taken()

  const cpuMilliseconds = (user + system) / 1_000 / calls
  const share = account.memoryMegabytes / account.megabytesOfProcessor
  const { tokensADay, connections, instances } = account
  // An instance asks the table about a token at most once in 30 s, and never more often than callers ask for it.
  const confirmations = Math.min(tokensADay, (instances * connections * daySeconds) / memorySeconds)
  const renewals = (connections * daySeconds) / (account.tokenSeconds * 0.99 * 0.8)
  const hitMilliseconds = cpuMilliseconds / share + account.runtimeMilliseconds
  const billedSeconds = (tokensADay * hitMilliseconds + confirmations * account.tableMilliseconds) / 1_000
  const gigabyteSeconds = (billedSeconds * account.memoryMegabytes) / 1_024

  const items: readonly (readonly [what: string, units: number, dollars: number])[] = [
    ['HTTP API requests', tokensADay, price('httpApiRequest')],
    ['Lambda requests', tokensADay + renewals + daySeconds / 60, price('lambdaRequest')],
    ['Lambda GB-seconds', gigabyteSeconds, price('lambdaGigabyteSecond')],
    ['DynamoDB read units', confirmations * confirmed.readUnits + renewals * first.readUnits, price('readUnit')],
    ['DynamoDB write units', renewals * first.writeUnits, price('writeUnit')],
    ['CloudWatch Logs, GB', (tokensADay * logBytes) / calls / 1e9, price('functionLogGigabyte')],
    ['EventBridge events', 2 * renewals, price('customEvent')],
    ['Secrets Manager calls', (2 * instances * daySeconds) / secretSeconds, price('secretCall')],
  ]
  const total = items.reduce((sum, [, units, dollars]) => sum + units * dollars, 0)
  return {
    title: 'A million tokens a day on AWS',
    name: 'cost',
    notes: [
      `These costs are computed for ${connections} connections, ${instances} instances of ${account.memoryMegabytes} MB, and tokens of an hour. Requests are spread evenly, so an instance asks the table at nearly every call.`,
      '',
      `- Counted: ${shown(first.readUnits)} units read and ${shown(first.writeUnits)} written for a token request; ${shown(confirmed.readUnits)} read to check that a token is still current.`,
      `- Counted: ${(logBytes / calls).toFixed(0)} bytes of log and metrics and ${shown(cpuMilliseconds)} ms of processor time for a hit.`,
      `- Assumed: ${account.tableMilliseconds} ms for the table, and ${account.runtimeMilliseconds} ms for Lambda's runtime.`,
      '- Prices are those of us-east-1. [infra/costs.md](../../infra/costs.md) has their sources, and all other items: metrics, alarms, traces, the access log and secrets.',
      '',
      `The authorization server gets ${renewals.toFixed(0)} token requests. It would get ${tokensADay.toLocaleString('en')} if every caller made its own.`,
    ],
    table: {
      columns: ['', 'units a day', 'dollars a day'],
      rows: [
        ...items.map(([what, units, dollars]) => [what, shown(units), (units * dollars).toFixed(3)]),
        ['total', '', total.toFixed(2)],
      ],
    },
    picture: {
      unit: 'dollars a day',
      lengths: items.map(([label, units, dollars]) => ({ label, value: units * dollars, isOurs: true })),
    },
  }
}

/** issue-token with a table that counts units, a log that is counted, and a clock that the bench moves. */
async function createCountedInstance(t: CleanUp, farEnd: FarEnd) {
  const counted: Counted = { readUnits: 0, writeUnits: 0, logBytes: 0 }
  const opened = await openTokenwell(t, farEnd, 'ES256')
  tellAll()
  let ageMilliseconds = 0
  const ports = {
    ...opened,
    store: countUnits(memoryRecords({ maximumRecords: 100 }), counted),
    memoryMaximumSeconds: memorySeconds,
    log: createPowertoolsLog('bench'),
    now: () => opened.now() + ageMilliseconds,
  }
  countLog(counted)
  const handler = createHandler({ ...ports, application: createApplication(ports) })
  const request = tokenRequest('conn', 'scope=orders')
  return {
    async ask() {
      const context = createLocalContext(Date.now())
      const { statusCode, body } = (await handler(
        createHttpEvent(request),
        context,
      )) as APIGatewayProxyStructuredResultV2
      if (statusCode !== 200) throw new Error(`issue-token answers ${body}`)
    },
    age(seconds: number) {
      ageMilliseconds += seconds * 1_000
    },
    /** The counts since the last call. */
    taken(): Counted {
      const taken = { ...counted }
      Object.assign(counted, { readUnits: 0, writeUnits: 0, logBytes: 0 } satisfies Counted)
      return taken
    },
  }
}

/** DynamoDB's units: 4 KB of an item for a consistent read, 1 KB for a write. */
function countUnits(store: RecordStore, counted: Counted): RecordStore {
  const units = (record: StoredRecord | undefined, unitBytes: number) =>
    Math.max(1, Math.ceil(Buffer.byteLength(JSON.stringify(record ?? '')) / unitBytes))
  return {
    ...store,
    async read(names) {
      const found = await store.read(names)
      for (const record of found) counted.readUnits += units(record, 4_096)
      return found
    },
    write(name, record, expected) {
      counted.writeUnits += units(record, 1_024)
      return store.write(name, record, expected)
    },
  }
}

function countLog(counted: Counted): void {
  const write = process.stdout.write.bind(process.stdout)
  process.stdout.write = (chunk: string | Uint8Array, ...rest: []) => {
    counted.logBytes += Buffer.byteLength(chunk)
    return write(chunk, ...rest)
  }
}
