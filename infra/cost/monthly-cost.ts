import { costOf, type PriceName } from './prices.ts'
import { assumed, counted, metricsWithoutFailures, platformBytes, renewalSeconds } from './quantities.ts'

export interface Workload {
  readonly callsADay: number
  readonly connections: number
}

/** What the synthesized stack says. */
export interface StackFacts {
  /** The metrics that alarms watch. */
  readonly alarmMetrics: number
  /** One line of the access log of a token request. */
  readonly accessLogBytes: number
}

/** The properties of the construct that change the cost. */
export interface Switches {
  readonly metricsByConnection: boolean
  readonly tracing: boolean
  readonly logLevel: 'info' | 'warn'
  readonly platformLogLevel: 'info' | 'warn'
}

export const defaultSwitches: Switches = {
  metricsByConnection: true,
  tracing: true,
  logLevel: 'info',
  platformLogLevel: 'warn',
}

export type Way = 'http' | 'alias'

export interface Item {
  readonly name: string
  readonly dollars: number
  /** Only calls by HTTP cost it. */
  readonly isOfHttp: boolean
}

const daySeconds = 86_400
const days = 365 / 12
const gigabyte = 1e9
const memorySeconds = 30
const hours = 24
const minutesADay = 1_440
/** Six elements are a connection, and one connection in five has a jwtBuilder with keys of its own. */
const elementsOfConnection = 6
const connectionsOfJwtBuilder = 5
/** Above this number AWS makes a parameter an advanced one. */
const standardParameters = 10_000
/** A default of Parameter Store. Above it, the higher throughput is needed, and each parameter read costs. */
const defaultParameterCalls = 40
const messagesInBatch = 10
const logMonths = 3
/** X-Ray records the first request of each second, and this share of the others. */
const sampledShare = 0.05

/** The daily quantities that several items have in common. */
function activityOf({ callsADay, connections }: Workload) {
  const workingInstances = (callsADay / daySeconds) * ((assumed.hitMilliseconds + assumed.tableMilliseconds) / 1_000)
  const instances = Math.ceil(workingInstances) + assumed.idleInstances
  return {
    instances,
    // An instance asks the table about a token at most once in 30 s, and no more often than callers ask for it.
    confirmations: Math.min(callsADay, (instances * connections * daySeconds) / memorySeconds),
    renewals: (connections * daySeconds) / renewalSeconds,
    checks: connections * hours,
    jwtBuilders: Math.ceil(connections / connectionsOfJwtBuilder),
    starts: instances * assumed.startsADay,
  }
}

/** What a workload costs in a month, item by item. */
export function monthlyCost(workload: Workload, facts: StackFacts, switches: Switches = defaultSwitches): Item[] {
  return [
    ...computing(workload),
    ...table(workload),
    ...configuration(workload),
    ...messages(workload),
    ...logs(workload, facts, switches),
    ...monitoring(workload, facts, switches),
    ofHttp('Data to callers on the internet', 'transferGigabyte', transferOf(workload)),
  ]
}

function computing(workload: Workload): Item[] {
  const { callsADay } = workload
  const { confirmations, renewals, checks, starts } = activityOf(workload)
  const events = checks / messagesInBatch
  const milliseconds =
    callsADay * assumed.hitMilliseconds +
    confirmations * assumed.tableMilliseconds +
    renewals * assumed.renewalMilliseconds +
    (minutesADay + checks) * assumed.backgroundMilliseconds +
    starts * assumed.initMilliseconds
  const gigabyteSeconds = (milliseconds / 1_000) * (assumed.memoryMegabytes / 1_024)
  return [
    ofHttp('HTTP API requests', 'httpApiRequest', callsADay),
    item('Lambda requests', 'lambdaRequest', callsADay + minutesADay + events),
    item('Lambda GB-seconds', 'lambdaGigabyteSecond', gigabyteSeconds),
  ]
}

function table(workload: Workload): Item[] {
  const { confirmations, renewals, checks, jwtBuilders } = activityOf(workload)
  const { confirmation, renewal, reconciliation, publication, warmRun } = counted
  const reads =
    confirmations * confirmation.readUnits +
    renewals * renewal.readUnits +
    checks * reconciliation.readUnits +
    jwtBuilders * hours * publication.readUnits +
    (minutesADay * warmRun.queries) / 2
  const writes = renewals * renewal.writeUnits + jwtBuilders * hours * publication.writeUnits
  return [
    item('DynamoDB reads', 'readUnit', reads),
    item('DynamoDB writes', 'writeUnit', writes),
    monthly('DynamoDB storage', 'tableGigabyte', (workload.connections * counted.recordBytes) / gigabyte),
  ]
}

function configuration(workload: Workload): Item[] {
  const { renewals, checks, jwtBuilders, starts } = activityOf(workload)
  const parameters = workload.connections * elementsOfConnection
  const advanced = Math.max(0, parameters - standardParameters)
  const callsASecond =
    (renewals * counted.renewal.parameterCalls + checks * counted.reconciliation.parameterCalls) / daySeconds
  const reads = renewals * counted.renewal.parameters + checks * counted.reconciliation.parameters
  // Reconciliations come in bursts, so the quota is reached before the average is.
  const isCharged = callsASecond > defaultParameterCalls / 2
  const charged = isCharged ? reads : reads * (advanced / Math.max(1, parameters))
  return [
    monthly('Secrets Manager, secrets', 'secret', 1 + jwtBuilders),
    item('Secrets Manager, calls', 'secretCall', renewals + starts + checks * counted.reconciliation.secretCalls),
    monthly('Parameter Store, parameters', 'advancedParameter', advanced),
    item('Parameter Store, reads', 'parameterInteraction', charged),
  ]
}

function messages(workload: Workload): Item[] {
  const { renewals, checks, jwtBuilders, starts } = activityOf(workload)
  const events = renewals * counted.renewal.customEvents + checks * counted.reconciliation.customEvents + hours
  // A message is sent and deleted by itself, and received with others.
  const requests = checks * 2 + checks / messagesInBatch + (assumed.pollers * daySeconds) / 20
  const signatures = jwtBuilders * hours * counted.publication.signatures
  return [
    item('EventBridge, events', 'customEvent', events),
    item('EventBridge Scheduler', 'scheduledCall', minutesADay),
    item('SQS requests', 'queueRequest', requests),
    monthly('KMS key', 'kmsKey', 1),
    item('KMS requests', 'kmsRequest', signatures + starts),
  ]
}

function logs(workload: Workload, facts: StackFacts, switches: Switches): Item[] {
  const { callsADay } = workload
  const { renewals } = activityOf(workload)
  const { lineBytes, metricsBytes, stageMetricsBytes } = counted.hit
  const ofHit =
    (switches.logLevel === 'info' ? lineBytes : 0) +
    (switches.metricsByConnection ? metricsBytes : stageMetricsBytes) +
    (switches.platformLogLevel === 'info' ? platformBytes : 0)
  const functions = (callsADay * ofHit + renewals * counted.renewal.logBytes) / gigabyte
  const access = (callsADay * facts.accessLogBytes) / gigabyte
  return [
    item('Logs of the functions', 'functionLogGigabyte', functions),
    ofHttp('Access log', 'accessLogGigabyte', access),
    monthly('Stored logs of the functions', 'storedLogGigabyte', functions * days * logMonths),
    { ...monthly('Stored access log', 'storedLogGigabyte', access * days * logMonths), isOfHttp: true },
  ]
}

function monitoring(workload: Workload, { alarmMetrics }: StackFacts, switches: Switches): Item[] {
  const { jwtBuilders } = activityOf(workload)
  const { ofStage, ofConnection, ofJwtBuilder } = metricsWithoutFailures()
  const byConnection = switches.metricsByConnection
    ? workload.connections * ofConnection + jwtBuilders * ofJwtBuilder
    : 0
  const stageMetrics = costOf('customMetric', ofStage)
  const traced = daySeconds + Math.max(0, workload.callsADay - daySeconds) * sampledShare
  return [
    plain('Metrics of the stage', stageMetrics),
    plain('Metrics by connection', costOf('customMetric', ofStage + byConnection) - stageMetrics),
    monthly('Alarms', 'alarm', alarmMetrics),
    monthly('Dashboard', 'dashboard', 1),
    item('X-Ray traces', 'trace', switches.tracing ? Math.min(workload.callsADay, traced) + minutesADay : 0),
  ]
}

function transferOf({ callsADay }: Workload): number {
  return (callsADay * (counted.hit.answerBytes + assumed.headerBytes)) / gigabyte
}

/** @param quantity of a day */
function item(name: string, price: PriceName, quantity: number): Item {
  return monthly(name, price, quantity * days)
}

/** @param quantity of a day */
function ofHttp(name: string, price: PriceName, quantity: number): Item {
  return { ...item(name, price, quantity), isOfHttp: true }
}

function monthly(name: string, price: PriceName, quantity: number): Item {
  return plain(name, costOf(price, quantity))
}

function plain(name: string, dollars: number): Item {
  return { name, dollars, isOfHttp: false }
}

export function sumOf(items: readonly Item[], way: Way): number {
  return items.reduce((sum, { dollars, isOfHttp }) => (way === 'alias' && isOfHttp ? sum : sum + dollars), 0)
}
