import { setTimeout } from 'node:timers/promises'
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge'
import { batchesOf } from '../../base/semaphore.ts'
import { type Deployment, serviceName } from '../../configuration/deployment.ts'
import { asEventbridgeEvent, type EventBus, EventBusError, type TokenwellEvent } from '../../events/event-bus.ts'
import { type AwsTimeouts, awsClientSettings, withinTime } from './aws-client.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

export interface EventbridgeBusSettings extends Pick<Deployment, 'stage'> {
  readonly busName: string
  readonly timeouts?: AwsTimeouts
}

/** Short, because a caller may be waiting. */
const defaultTimeouts: AwsTimeouts = { connect: 1_000, answer: 1_000, total: 1_000 }
/** The maximum of PutEvents. */
const entriesInOneCall = 10
const longestPauseMilliseconds = 200

/**
 * A bus of Amazon EventBridge. EventBridge accepts and drops events for a bus that does not exist, and this is not reported as a
 * failure. To ask for the bus first would cost each cold start a call.
 */
export function eventbridgeBus({ busName, stage, timeouts = defaultTimeouts }: EventbridgeBusSettings): EventBus {
  let client: EventBridgeClient | undefined
  const connect = () => {
    client ??= new EventBridgeClient(awsClientSettings(timeouts))
    return client
  }

  async function put(entries: readonly PutEventsRequestEntry[], options: Options): Promise<readonly RefusedEntry[]> {
    const calls = batchesOf(entries, entriesInOneCall).map(async (chunk) => {
      const answer = await connect().send(new PutEventsCommand({ Entries: chunk }), options)
      // The entries are in the order of the request. An entry without an id was rejected.
      return chunk.flatMap((entry, index): RefusedEntry[] => {
        const { EventId: id, ErrorCode: code = 'no answer' } = answer.Entries?.[index] ?? {}
        return id === undefined ? [{ entry, code }] : []
      })
    })
    // Every call finishes, even if another one fails.
    await Promise.allSettled(calls)
    return (await Promise.all(calls)).flat()
  }

  async function putTwice(entries: readonly PutEventsRequestEntry[], options: Options): Promise<void> {
    const startedAt = performance.now()
    const refused = await put(entries, options)
    const isTimeLeft = performance.now() - startedAt < timeouts.total / 2
    const passing = isTimeLeft ? refused.filter(isPassing) : []
    const refusedAgain = passing.length > 0 ? await putLater(passing, options) : []
    const [first] = [...refused.filter((each) => !passing.includes(each)), ...refusedAgain]
    if (first) throw new EntryRefusedError(first.code)
  }

  async function putLater(refused: readonly RefusedEntry[], options: Options): Promise<readonly RefusedEntry[]> {
    await setTimeout(Math.random() * Math.min(longestPauseMilliseconds, timeouts.total / 5))
    return put(
      refused.map(({ entry }) => entry),
      options,
    )
  }

  return {
    isHeard: true,
    async raise(events) {
      const entries = events.map((event) => createEntry(event, busName, serviceName(stage)))
      try {
        await withinTime(timeouts.total, (options) => putTwice(entries, options))
      } catch (error) {
        throw describeEventbridgeFailure(error, busName)
      }
    },
  }
}

interface Options {
  readonly abortSignal: AbortSignal
}

interface RefusedEntry {
  readonly entry: PutEventsRequestEntry
  readonly code: string
}

/** Its name is the error code, so that it is classified like an error of the SDK. */
class EntryRefusedError extends Error {
  constructor(code: string) {
    super('EventBridge rejected an event.')
    this.name = code
  }
}

/** Error codes that PutEvents uses only for entries. */
const inTrouble = ['InternalFailure', 'InternalException']
const notAuthorized = ['NotAuthorizedForSourceException', 'NotAuthorizedForDetailTypeException']

function isPassing({ code }: RefusedEntry): boolean {
  return inTrouble.includes(code) || classifyAwsFailure(new EntryRefusedError(code)) === 'throttled'
}

function createEntry(event: TokenwellEvent, busName: string, sender: string): PutEventsRequestEntry {
  const { source, 'detail-type': type, detail } = asEventbridgeEvent(event, sender)
  return { EventBusName: busName, Source: source, DetailType: type, Detail: JSON.stringify(detail) }
}

/** Only the name of the original is kept, because the original may quote the event. */
function describeEventbridgeFailure(error: unknown, busName: string): EventBusError {
  const reason = reasonOfAwsFailure(error)
  switch (classify(error, reason)) {
    case 'missing':
      return new EventBusError(`The event bus ${busName} does not exist in this account and region. Create it.`)
    case 'denied':
      return new EventBusError(
        `Access to the event bus ${busName} was denied (${reason}). Allow events:PutEvents on it, and check that the credentials are valid.`,
      )
    case 'throttled':
      return new EventBusError(
        `EventBridge throttles requests to the event bus ${busName} (${reason}). Check that the account's quota for PutEvents suffices.`,
      )
    case 'unreachable':
      return new EventBusError(
        `The event bus ${busName} did not answer in time or cannot be reached (${reason}). Check that EventBridge can be reached from this network.`,
      )
    case undefined:
      return new EventBusError(`The event bus ${busName} rejected the event (${reason}). Check the name of the bus.`)
  }
}

function classify(error: unknown, reason: string) {
  if (notAuthorized.includes(reason)) return 'denied'
  return inTrouble.includes(reason) ? 'unreachable' : classifyAwsFailure(error)
}
