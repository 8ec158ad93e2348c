/** Runs one call for a key at a time. */
export interface SingleFlight<T> {
  /** Starts the call, or joins the one that is under way: the same result, or the same error. */
  join(key: string, until: number, start: () => Promise<T>): Promise<T>
  isUnderWay(key: string): boolean
}

/**
 * @param now a flight past its `until` is joined no more: Lambda may have frozen it halfway, and it may never land
 */
export function createSingleFlight<T>(now: () => number): SingleFlight<T> {
  const flights = new Map<string, { readonly result: Promise<T>; readonly until: number }>()

  function underWay(key: string): Promise<T> | undefined {
    const flight = flights.get(key)
    return flight && now() < flight.until ? flight.result : undefined
  }

  return {
    isUnderWay: (key) => underWay(key) !== undefined,
    join(key, until, start) {
      const joined = underWay(key)
      if (joined) return joined

      const flight = { result: start(), until }
      flights.set(key, flight)
      const land = () => {
        if (flights.get(key) === flight) flights.delete(key)
      }
      flight.result.then(land, land)
      return flight.result
    },
  }
}
