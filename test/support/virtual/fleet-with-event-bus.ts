import assert from 'node:assert/strict'
import type { HandedOutToken } from '../../../lib/get-token/get-token.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { exampleIssuer } from '../elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements, withoutUndefined } from '../elements/elements.ts'
import { overhear } from '../output/canary.ts'
import { createQueueingEventBus, type QueueingEventBus } from './queueing-event-bus.ts'
import {
  changeableElements,
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  type TokensInVirtualTimeOptions,
} from './tokens-in-virtual-time.ts'
import type { VirtualEndpoint, VirtualRequest } from './virtual-ports.ts'

/** Processes for callers and processes for events, over one store, one bus and the same elements. */
export interface FleetWithEventBus {
  readonly time: TokensInVirtualTime['time']
  readonly bus: QueueingEventBus
  readonly callers: readonly TokensInVirtualTime[]
  readonly refreshers: readonly TokensInVirtualTime[]
  readonly caller: TokensInVirtualTime
  readonly refresher: TokensInVirtualTime
  requests(): readonly VirtualRequest[]
  /** Changes the elements, as an operator does in Parameter Store. */
  change(changes: ElementChanges, more?: RawElements): void
  /** Adds one more process. */
  join(options?: TokensInVirtualTimeOptions, endpoint?: VirtualEndpoint): TokensInVirtualTime
  /** Gets a token for each audience from the fleet. */
  getAll(audiences: readonly string[]): Promise<HandedOutToken[]>
  /** Answers the same event in that many processes at the same time. */
  answer(event: IncomingEvent, processes?: number): Promise<PromiseSettledResult<void>[]>
  /** Answers the events on the bus until it is empty. */
  deliver(): Promise<void>
}

export interface FleetWithEventBusOptions extends TokensInVirtualTimeOptions {
  readonly changes?: ElementChanges
  readonly size?: number
  readonly eventBus?: QueueingEventBus
}

export const changed: IncomingEvent = { type: 'ConnectionChanged', connection: 'conn' }

/** No process keeps a token in memory, so each request reads the shared cache. */
export function createFleetWithEventBus(
  endpoint: VirtualEndpoint,
  options: FleetWithEventBusOptions = {},
): FleetWithEventBus {
  const { changes: first = {}, size = 2, eventBus: bus = createQueueingEventBus(), ...others } = options
  const asElements = (changes: ElementChanges, more?: RawElements) =>
    withoutUndefined({ ...exampleElements(exampleIssuer, changes), ...more })
  const elements = changeableElements(asElements(first))
  const processes: TokensInVirtualTime[] = []
  const join: FleetWithEventBus['join'] = (more = {}, own = endpoint) => {
    const [fleet] = processes
    const settings = { elements, bus, memoryMaximumSeconds: 0, ...others, ...(fleet && { fleet }), ...more }
    const joined = createTokensInVirtualTime(own, settings)
    processes.push(joined)
    return joined
  }
  const callers = Array.from({ length: size }, () => join())
  const refreshers = Array.from({ length: size }, () => join())
  const [caller = assert.fail()] = callers
  const [refresher = assert.fail()] = refreshers
  const { time } = caller
  const answer: FleetWithEventBus['answer'] = (event, count = 1) =>
    time.until(Promise.allSettled(refreshers.slice(0, count).map((each) => each.answer(event))))
  return {
    time,
    bus,
    callers,
    refreshers,
    caller,
    refresher,
    requests: () => processes.flatMap(({ requests }) => requests).sort((a, b) => a.at - b.at),
    change: (changes, more) => elements.change(asElements(changes, more)),
    join,
    getAll: (audiences) => time.until(Promise.all(audiences.map((audience) => caller.get({ audience })))),
    answer,
    async deliver() {
      for (let events = bus.take(); events.length > 0; events = bus.take())
        for (const event of events) fulfilled(await answer(event))
      overhear(JSON.stringify(processes.map(({ events }) => events)))
    },
  }
}

export function fulfilled(settled: readonly PromiseSettledResult<void>[]): void {
  for (const each of settled) if (each.status === 'rejected') throw each.reason
}

/** Asks for all these tokens all the time, as many callers would, until the test says that it is over. */
export function watchCallers({ time, callers }: FleetWithEventBus, audiences: readonly string[]) {
  let isOver = false
  const answers: { readonly at: number; readonly waited: number; readonly answer: HandedOutToken }[] = []
  const failures: unknown[] = []
  const ask = async (process: TokensInVirtualTime, audience: string) => {
    const at = time.now()
    try {
      const answer = await process.get({ audience })
      answers.push({ at, waited: time.now() - at, answer })
    } catch (error) {
      failures.push(error)
    }
  }
  const asking: Promise<void>[] = []
  const watching = (async () => {
    while (!isOver) {
      for (const process of callers) for (const audience of audiences) asking.push(ask(process, audience))
      await time.pause(25)
    }
    await Promise.all(asking)
  })()
  return {
    answers,
    failures,
    longestWait: () => Math.max(...answers.map(({ waited }) => waited)),
    async end() {
      isOver = true
      await time.until(watching)
    },
  }
}
