import { inTime, type Pause } from './time.ts'

/** Runs only one call for a key at a time. All waiting callers get its result or failure. A failure is not kept. */
export interface SingleFlight<T> {
  /**
   * Starts the call, or joins the call that already runs, with the same result or the same error.
   * @param deadline of this caller, in milliseconds since the epoch. The caller waits no longer, but the call continues for others.
   */
  join(key: string, start: () => Promise<T>, deadline?: number): Promise<T>
  isUnderWay(key: string): boolean
}

export interface CallersTime {
  readonly now: () => number
  readonly pause: Pause
  /** The error for a caller whose deadline is before the end of the call. */
  readonly outOfTime: () => Error
}

interface Flight<T> {
  readonly result: Promise<T>
  /** The deadline of the first caller. After it Lambda may have frozen the call, so no further caller joins it. */
  readonly deadline: number
  /** Callers with the same deadline share one timer. With a thousand callers, separate timers took half of the whole time. */
  readonly byDeadline: Map<number, Promise<T>>
}

/** @param time clock and pause for the deadlines of callers; without it there are no deadlines */
export function createSingleFlight<T>(time?: CallersTime): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>()

  function underWay(key: string): Flight<T> | undefined {
    const flight = flights.get(key)
    return flight && (!time || time.now() < flight.deadline) ? flight : undefined
  }

  function resultBy(deadline: number, { result, byDeadline }: Flight<T>): Promise<T> {
    if (!time) return result
    const awaited = byDeadline.get(deadline)
    if (awaited) return awaited

    const inItsTime = inTime(result, deadline - time.now(), time.pause, () => {
      throw time.outOfTime()
    })
    byDeadline.set(deadline, inItsTime)
    return inItsTime
  }

  return {
    isUnderWay(key) {
      return underWay(key) !== undefined
    },
    join(key, start, deadline = Infinity) {
      const joined = underWay(key)
      if (joined) return resultBy(deadline, joined)

      const flight: Flight<T> = { result: start(), deadline, byDeadline: new Map() }
      flights.set(key, flight)
      const land = () => {
        if (flights.get(key) === flight) flights.delete(key)
      }
      flight.result.then(land, land)
      return resultBy(deadline, flight)
    },
  }
}

/** A value that is loaded at its first use and then kept. */
export interface Lazy<T> {
  get(): Promise<T>
}

/** @param load is called at the first use; all waiting callers get its failure, which is not kept */
export function createLazy<T>(load: () => Promise<T>): Lazy<T> {
  let loading: Promise<T> | undefined
  return {
    get() {
      loading ??= load().catch((error) => {
        loading = undefined
        throw error
      })
      return loading
    },
  }
}
