/** RFC 9110 section 5.6.7, the form that is to be sent. */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Milliseconds since the epoch of an HTTP date; undefined where the text is none. */
export function readHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !httpDate.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}

/**
 * Seconds to wait by a `Retry-After` of seconds or a date (RFC 9110 section 10.2.3), above 0; undefined where it says nothing.
 * To come back at once says nothing: it may come of a slow clock, and an outage is left alone all the same.
 */
export function readRetryAfter(text: string | undefined, now: number): number | undefined {
  const seconds = text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : secondsUntil(readHttpDate(text), now)
  return seconds !== undefined && seconds > 0 ? seconds : undefined
}

function secondsUntil(date: number | undefined, now: number): number | undefined {
  return date === undefined ? undefined : Math.ceil((date - now) / 1000)
}
