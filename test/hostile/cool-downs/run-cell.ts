import type { LogEvent } from '../../../lib/log/log-event.ts'
import { allConnections, userCulprit } from './connections.ts'
import type { Failure } from './failures.ts'
import { type CoolDownFleet, createCoolDownFleet, fine } from './fleet.ts'
import { type Bystander, bystandersOf, failingRequest, narrowest, natural, type RequestKind } from './rules.ts'

/** Longer than any cool-down. */
const longestSeconds = 310
/** Longer than a token lives in these fleets. */
const untilExpiredMilliseconds = 6_000

/** The consequences of one failed request while everything else works. */
export interface Aftermath {
  /** Seconds until each bystander got a token. 0 if it got one at once. */
  readonly waited: ReadonlyMap<Bystander, number>
  /** The same for the failing request. */
  readonly failingWaited: number
  readonly begun: readonly Extract<LogEvent, { readonly event: 'cool_down_begun' }>[]
  readonly ended: readonly LogEvent[]
}

/** The result of a long failure, with one call a second from each of 20 callers. */
export interface Load {
  /** Requests that met the failure. */
  readonly failed: number
  /** Own requests that no caller made. */
  readonly control: number
  /** The highest number of failed requests in any ten seconds. */
  readonly mostInTenSeconds: number
  /** Bystanders that were refused although the cause does not concern them. */
  readonly refused: readonly string[]
}

/** Each connection gets a token once, which then expires. */
export async function warmUp(fleet: CoolDownFleet): Promise<void> {
  for (const { name } of allConnections)
    if (name !== userCulprit.name) await fleet.time.until(fleet.ask({ caller: 'bystander-2', connection: name }))
  await fleet.time.advance(untilExpiredMilliseconds)
}

export async function failOnce(failure: Failure, kind: RequestKind): Promise<Aftermath> {
  const fleet = createCoolDownFleet()
  const { time } = fleet
  await warmUp(fleet)
  fleet.weather = narrowest(failure, kind)
  const first = await time.until(fleet.ask(failingRequest(kind)))
  if ('token' in first) throw new Error(`The request ${kind} got a token in spite of ${failure.name}.`)
  // A control request may be under way.
  await settle(fleet)
  fleet.weather = fine
  const { waited, failingWaited } = await whoWaits(fleet, kind)
  return {
    ...{ waited, failingWaited },
    begun: fleet.events.filter((event) => event.event === 'cool_down_begun'),
    ended: fleet.events.filter(({ event }) => event === ('cool_down_ended' as string)),
  }
}

/** Waits until the server has no request under way. */
export async function settle({ time, gauge }: CoolDownFleet): Promise<void> {
  await time.advance(0)
  while (gauge.underWay > 0) await time.advance(1_000)
}

/** All requests are repeated once a second until they get a token. */
async function whoWaits({ time, ask }: CoolDownFleet, kind: RequestKind) {
  const failing = 'failing'
  const asking = new Map([...bystandersOf(kind), [failing, failingRequest(kind)] as const])
  const waited = new Map<Bystander | typeof failing, number>()
  for (let second = 0; second <= longestSeconds && asking.size > 0; second++) {
    const asked = [...asking].map(async ([name, request]) => [name, await ask(request)] as const)
    for (const [name, outcome] of await time.until(Promise.all(asked)))
      if ('token' in outcome && asking.delete(name)) waited.set(name, second)
    await time.advance(1_000)
  }
  for (const name of asking.keys()) waited.set(name, Infinity)
  const failingWaited = waited.get(failing) ?? Infinity
  waited.delete(failing)
  return { waited: waited as ReadonlyMap<Bystander, number>, failingWaited }
}

const numberOfCallers = 20
const secondsBetweenBystanders = 5

export async function failForLong(failure: Failure, kind: RequestKind, seconds: number): Promise<Load> {
  const fleet = createCoolDownFleet()
  const { time, ask } = fleet
  await warmUp(fleet)
  const began = time.now()
  fleet.weather = natural(failure, kind)
  // Tokenwell itself makes the own requests. Their outcome is known from the test of one failure.
  const bystanders = [...bystandersOf(kind)].filter(([name]) => name !== 'own requests')
  const refused = new Set<string>()
  const underWay: Promise<unknown>[] = []
  const askBeside = async ([name, request]: (typeof bystanders)[number]) => {
    const outcome = await ask(request)
    if ('error' in outcome) refused.add(name)
  }
  for (let second = 0; second < seconds; second++) {
    for (let caller = 0; caller < numberOfCallers; caller++)
      underWay.push(ask(failingRequest(kind, `caller-${caller}`)))
    if (second % secondsBetweenBystanders === 0) underWay.push(...bystanders.map(askBeside))
    await time.advance(1_000)
  }
  await time.until(Promise.all(underWay))
  const book = fleet.book.filter(({ at }) => at >= began)
  const failed = book.filter((seen) => fleet.weather(seen))
  const control = book.filter((seen) => !failed.includes(seen) && isOwnOfCulprit(seen))
  return {
    failed: failed.length,
    control: control.length,
    mostInTenSeconds: mostWithin(
      failed.map(({ at }) => at),
      10_000,
    ),
    refused: [...refused],
  }
}

function isOwnOfCulprit({ connection, form }: CoolDownFleet['book'][number]): boolean {
  return connection === 'culprit' && !form.has('scope')
}

/** The highest number of these times, in order, within a window of that many milliseconds. */
export function mostWithin(times: readonly number[], milliseconds: number): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + milliseconds).length))
}
