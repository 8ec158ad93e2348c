import { inTime, type Pause } from './time.ts'

/** Runs one call for a key at a time. */
export interface SingleFlight<T> {
  /**
   * Starts the call, or joins the one that is under way: the same result, or the same error.
   * @param deadline of this caller; nobody waits longer than that, and the call goes on for the others
   */
  join(key: string, deadline: number, start: () => Promise<T>): Promise<T>
  isUnderWay(key: string): boolean
}

export interface SingleFlightParts {
  readonly now: () => number
  readonly pause: Pause
  /** What a caller gets whose time is over before the call's. */
  readonly outOfTime: () => Error
}

interface Flight<T> {
  readonly result: Promise<T>
  /** The deadline of who started it. Past it Lambda may have frozen it halfway, and it is joined no more. */
  readonly deadline: number
  /** Callers of the same deadline wait by one timer: a thousand of them took half of the time of a stampede. */
  readonly byDeadline: Map<number, Promise<T>>
}

export function createSingleFlight<T>({ now, pause, outOfTime }: SingleFlightParts): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>()

  function underWay(key: string): Flight<T> | undefined {
    const flight = flights.get(key)
    return flight && now() < flight.deadline ? flight : undefined
  }

  function resultBy(deadline: number, { result, byDeadline }: Flight<T>): Promise<T> {
    const waitedFor = byDeadline.get(deadline)
    if (waitedFor) return waitedFor

    const inItsTime = inTime(result, deadline - now(), pause, () => {
      throw outOfTime()
    })
    byDeadline.set(deadline, inItsTime)
    return inItsTime
  }

  return {
    isUnderWay: (key) => underWay(key) !== undefined,
    join(key, deadline, start) {
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
