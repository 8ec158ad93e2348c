/** Runs one call for a key at a time; who comes meanwhile gets the same result, or the same error. */
export type SingleFlight<T> = (key: string, until: number, start: () => Promise<T>) => Promise<T>

/**
 * @param now a flight past its `until` is joined no more: Lambda may have frozen it halfway, and it may never land
 */
export function createSingleFlight<T>(now: () => number): SingleFlight<T> {
  const flights = new Map<string, { readonly result: Promise<T>; readonly until: number }>()

  return (key, until, start) => {
    const joined = flights.get(key)
    if (joined && now() < joined.until) return joined.result

    const flight = { result: start(), until }
    flights.set(key, flight)
    const land = () => {
      if (flights.get(key) === flight) flights.delete(key)
    }
    flight.result.then(land, land)
    return flight.result
  }
}
