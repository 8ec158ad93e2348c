/** @param unless calls it off by how it ends, well or badly: then the pause never does */
export type Pause = (milliseconds: number, unless?: Promise<unknown>) => Promise<unknown>

/** The promise's outcome, or after that many milliseconds that of `late`. No timer is left behind. */
export function inTime<T>(promise: Promise<T>, milliseconds: number, pause: Pause, late: () => T | never): Promise<T> {
  return Promise.race([promise, pause(Math.max(0, milliseconds), promise).then(late)])
}
