import { Alarm, ComparisonOperator, MathExpression, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { nearestName } from '../../lib/configuration/nearest-name.ts'
import {
  type AlarmCondition,
  type AlarmName,
  alarmConditions,
  type NumberAlarmName,
  type ShareAlarmName,
} from './alarm-conditions.ts'
import type { StackMetrics } from './stack-metrics.ts'

/** What you change of an alarm. */
export interface AlarmTuning {
  /**
   * The value at which the alarm goes off, for one period. Of a share, in percent.
   * @default - the value in the table of `infra/operations.md`
   */
  readonly threshold?: number
  /**
   * How many periods in a row the alarm needs.
   * @default - the number in the table of `infra/operations.md`
   */
  readonly periods?: number
}

/** What you change of an alarm of a share. */
export interface ShareAlarmTuning extends AlarmTuning {
  /**
   * How many must be counted in a period, whatever their share is.
   * @default - the number in the table of `infra/operations.md`
   */
  readonly minimum?: number
}

/** Changes of alarms by their names. `false` leaves an alarm out. */
export type AlarmSettings = { readonly [Name in NumberAlarmName]?: AlarmTuning | false } & {
  readonly [Name in ShareAlarmName]?: ShareAlarmTuning | false
}

/** The alarms of a stage by their names. An alarm that is left out is undefined. */
export type StageAlarms = { readonly [Name in AlarmName]?: Alarm }

interface AlarmsProps {
  readonly metrics: StackMetrics
  readonly topic?: ITopic
  readonly settings?: AlarmSettings
}

const tooMuch = {
  comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
  treatMissingData: TreatMissingData.NOT_BREACHING,
} as const
const tooLittle = {
  comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
  treatMissingData: TreatMissingData.BREACHING,
} as const
const low = { ...tooLittle, treatMissingData: TreatMissingData.NOT_BREACHING } as const
/** CloudWatch looks at no more than this: a week for periods of an hour and longer. */
const [daySeconds, weekSeconds] = [86_400, 7 * 86_400]

/**
 * Creates the alarms of a stage, each with the topic for its beginning and its end.
 * @throws {Error} for a setting that would have no effect, or that CloudWatch would reject
 */
export function createAlarms(
  scope: Construct,
  id: string,
  { metrics, topic, settings = {} }: AlarmsProps,
): StageAlarms {
  const conditions = alarmConditions(metrics)
  checkNames(Object.keys(settings), Object.keys(conditions))
  const parent = new Construct(scope, id)
  const created = Object.entries(conditions).flatMap(([name, condition]): [string, Alarm][] => {
    const tuning = settings[name as AlarmName]
    return tuning === false ? [] : [[name, createAlarm(parent, name, tuned(name, condition, tuning))]]
  })
  for (const [, alarm] of created) {
    if (!topic) continue
    alarm.addAlarmAction(new SnsAction(topic))
    alarm.addOkAction(new SnsAction(topic))
  }
  return Object.fromEntries(created)
}

function createAlarm(scope: Construct, name: string, condition: AlarmCondition): Alarm {
  const { threshold, periods = 1, meaning } = condition
  return new Alarm(scope, `${name.charAt(0).toUpperCase()}${name.slice(1)}`, {
    metric: 'metric' in condition ? condition.metric : percentage(condition),
    threshold,
    evaluationPeriods: periods,
    ...comparisonOf(condition),
    alarmDescription: `${meaning} See infra/operations.md#${name.toLowerCase()}`,
  })
}

function comparisonOf(condition: AlarmCondition): typeof tooMuch | typeof tooLittle | typeof low {
  if ('isExpected' in condition && condition.isExpected) return tooLittle
  return isLow(condition) ? low : tooMuch
}

function isLow(condition: AlarmCondition): boolean {
  return 'isLow' in condition && condition.isLow === true
}

function percentage(condition: Exclude<AlarmCondition, { metric: unknown }>): MathExpression {
  const { counted, total, metrics, shareOf, minimum } = condition
  return new MathExpression({
    expression: `IF(counted >= ${minimum}, 100 * counted / (${total}), 0)`,
    usingMetrics: { counted, ...metrics },
    period: counted.period,
    label: `${counted.metricName}, percent of ${shareOf}`,
  })
}

function tuned(name: string, condition: AlarmCondition, tuning: ShareAlarmTuning = {}): AlarmCondition {
  const refuse = (complaint: string): never => {
    throw new Error(`alarmSettings.${name}: ${complaint}`)
  }
  const isShare = 'minimum' in condition
  const members = isShare ? ['threshold', 'periods', 'minimum'] : ['threshold', 'periods']
  const unknown = Object.keys(tuning).find((member) => !members.includes(member))
  if (unknown !== undefined) refuse(`The setting "${unknown}" does not exist. The settings are ${members.join(', ')}.`)

  const { threshold, periods, minimum } = { ...condition, ...tuning }
  const isInRange = isLow(condition) ? threshold >= 0 : threshold > 0
  if (!(isInRange && threshold < Number.POSITIVE_INFINITY))
    refuse(isLow(condition) ? 'threshold must be 0 or a number above 0.' : 'threshold must be a number above 0.')
  if (isShare && threshold > 100) refuse('threshold is a percentage, so it must be at most 100.')
  const seconds = ('metric' in condition ? condition.metric : condition.counted).period.toSeconds()
  const most = Math.floor((seconds < 3_600 ? daySeconds : weekSeconds) / seconds)
  if (periods !== undefined && !(Number.isInteger(periods) && periods >= 1 && periods <= most))
    refuse(`periods must be an integer from 1 to ${most}, because CloudWatch looks back no further.`)
  if (minimum !== undefined && !(Number.isInteger(minimum) && minimum >= 1))
    refuse('minimum must be an integer of at least 1.')
  return { ...condition, ...tuning }
}

/** A misspelt name would have no effect, so it is an error. */
function checkNames(names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return
  const nearest = nearestName(unknown, known)
  const advice = nearest === undefined ? `The alarms are ${known.join(', ')}.` : `Did you mean ${nearest}?`
  throw new Error(`alarmSettings: The alarm "${unknown}" does not exist. ${advice}`)
}
