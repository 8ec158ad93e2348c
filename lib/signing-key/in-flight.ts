/** By which clocks may differ, servers' and ours. */
const clockSpareSeconds = 5 * 60
/** A process may sign with a key for so long after its secret has another: `secret-cache.ts`. */
const secretAgeSeconds = 5 * 60

/** How long after a key's time a server may still have to verify what it has signed, in milliseconds. */
export function inFlightMilliseconds(assertionSeconds: number): number {
  return (secretAgeSeconds + assertionSeconds + clockSpareSeconds) * 1000
}
