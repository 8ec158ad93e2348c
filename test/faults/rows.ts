import type { Fault, Service } from './faulty-aws.ts'

/** What a caller gets. A new token costs one token request. */
export type Outcome =
  | 'the same token'
  | 'a new token'
  | '500 server_error'
  | '503 temporarily_unavailable'
  | '504 temporarily_unavailable'

/** A fault, and what callers of three instances get while it lasts. */
export interface Row {
  readonly services: readonly Service[]
  readonly fault: Fault
  /** How much of the function's time is left. */
  readonly seconds: number
  /** A warm instance. It has the token in memory, but must check now whether the token is still current. */
  readonly warm: Outcome
  /** A cold instance. The token is in the shared cache. */
  readonly cached: Outcome
  /** A cold instance. There is no token anywhere. */
  readonly nothing: Outcome
}

const same = 'the same token'
const fresh = 'a new token'
const misconfigured = '500 server_error'
const comeBack = '503 temporarily_unavailable'
const late = '504 temporarily_unavailable'
const everything: readonly Service[] = ['DynamoDB', 'Secrets Manager', 'Parameter Store']

type Outcomes = readonly [seconds: number, warm: Outcome, cached: Outcome, nothing: Outcome]

/** Seconds left: enough for an answer, too little for one, and all that a function has. */
const [enough, little, whole] = [20, 4, 25]

const dynamodb: Partial<Record<Fault, Outcomes>> = {
  'refusing connections': [enough, same, fresh, fresh],
  reset: [enough, same, fresh, fresh],
  hung: [enough, same, fresh, fresh],
  'slow, 500 ms': [enough, same, same, fresh],
  throttling: [enough, same, fresh, fresh],
  'full of garbage': [enough, same, fresh, fresh],
  denying: [enough, same, fresh, fresh],
}
const secretsManager: Partial<Record<Fault, Outcomes>> = {
  'refusing connections': [little, same, late, late],
  hung: [little, same, late, late],
  'slow, 500 ms': [enough, same, same, fresh],
  'full of garbage': [enough, same, comeBack, comeBack],
  denying: [enough, same, misconfigured, misconfigured],
}
const parameterStore: Partial<Record<Fault, Outcomes>> = {
  'refusing connections': [little, same, same, late],
  hung: [little, same, same, late],
  'slow, 500 ms': [enough, same, same, fresh],
  'full of garbage': [enough, same, same, comeBack],
  denying: [enough, same, same, misconfigured],
}

export const dynamodbRows = rowsOf(['DynamoDB'], dynamodb)
export const secretsManagerRows = rowsOf(['Secrets Manager'], secretsManager)
export const parameterStoreRows = rowsOf(['Parameter Store'], parameterStore)
/**
 * Without all three services callers get the same as without Secrets Manager, because that has the signing keys and the
 * cache's keys.
 */
export const togetherRows = rowsOf(everything, secretsManager)

/** With all the time that a function has. */
export const longRows: readonly Row[] = [
  ...rowsOf(['DynamoDB'], { 'slow, 10 s': [whole, same, fresh, fresh] }),
  ...rowsOf(['Secrets Manager'], waitedOut(same, comeBack, comeBack)),
  ...rowsOf(['Parameter Store'], waitedOut(same, same, comeBack)),
]
export const longTogetherRows = rowsOf(everything, waitedOut(same, comeBack, comeBack))

export const allRows: readonly Row[] = [
  ...dynamodbRows,
  ...secretsManagerRows,
  ...parameterStoreRows,
  ...togetherRows,
  ...longRows,
  ...longTogetherRows,
]

/** The rows for faults that last until the service's own time is over, so that the answer can tell the reason. */
function waitedOut(...outcomes: readonly [Outcome, Outcome, Outcome]): Partial<Record<Fault, Outcomes>> {
  const repeated: readonly Fault[] = ['refusing connections', 'reset', 'hung', 'slow, 10 s', 'throttling']
  return Object.fromEntries(repeated.map((fault) => [fault, [whole, ...outcomes]]))
}

function rowsOf(services: readonly Service[], byFault: Partial<Record<Fault, Outcomes>>): readonly Row[] {
  return Object.entries(byFault).map(([fault, [seconds, warm, cached, nothing]]) => {
    return { services, fault: fault as Fault, seconds, warm, cached, nothing }
  })
}

export function servicesOf({ services }: Row): string {
  return services.length === everything.length ? 'all three' : services.join(', ')
}

export function tableOf(rows: readonly Row[]): string[] {
  return [
    '| service | fault | time left | warm instance | cold instance, token in the cache | cold instance, nothing cached |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map((row) => {
      const { fault, seconds, warm, cached, nothing } = row
      return `| ${servicesOf(row)} | ${fault} | ${seconds} s | ${warm} | ${cached} | ${nothing} |`
    }),
  ]
}
