import { inTime, type Pause } from './time.ts'

/** Runs one call for a key at a time. A failure is shared by those who wait, and not kept. */
export interface SingleFlight<T> {
  /**
   * Starts the call, or joins the one that is under way: the same result, or the same error.
   * @param deadline of this caller, in milliseconds since the epoch: the caller waits no longer, and the call goes on for others
   */
  join(key: string, start: () => Promise<T>, deadline?: number): Promise<T>
  isUnderWay(key: string): boolean
}

export interface CallersTime {
  readonly now: () => number
  readonly pause: Pause
  /** What a caller gets whose deadline comes before the call's end. */
  readonly outOfTime: () => Error
}

interface Flight<T> {
  readonly result: Promise<T>
  /** The deadline of the caller who started it. Past it Lambda may have frozen the call halfway, and nobody joins it any more. */
  readonly deadline: number
  /** Callers of the same deadline wait by one timer: a thousand of them took half of the time of a stampede. */
  readonly byDeadline: Map<number, Promise<T>>
}

/** @param time what it takes to keep callers' deadlines; without it there are none */
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

/** A value that is loaded at its first use, and kept. */
export interface Lazy<T> {
  get(): Promise<T>
}

/** @param load is called at the first use; its failure is shared by those who wait, and not kept */
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
