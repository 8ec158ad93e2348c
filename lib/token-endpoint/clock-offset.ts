/** When a server accepts an assertion, by its own clock. Milliseconds since the epoch. */
export interface Validity {
  readonly from: number
  readonly until: number
}

/** What an answer that refuses an assertion says of the clocks. */
export type ClockReading =
  /** The server's clock is so far ahead of ours. */
  | { readonly kind: 'off'; readonly offsetMilliseconds: number }
  /** The same, but too far to be followed. */
  | { readonly kind: 'too_far'; readonly offsetMilliseconds: number }
  /** The server doesn't say which time it has, but on which side of ours: to be tried once. */
  | { readonly kind: 'guessed'; readonly offsetMilliseconds: number }
  /** The server speaks of time, and says no more. */
  | { readonly kind: 'unknown' }

/** A `Date` is cut to its second. */
const dateResolutionMilliseconds = 1_000
/** Clocks that are as close as this are not to blame, whatever a server says. */
const leastOffsetMilliseconds = 2_000
/** Whoever follows a clock that is farther away signs assertions that are good some other day. */
export const longestOffsetMilliseconds = 300_000

/** Servers allow for some distance, so that one step reaches clocks that are up to a minute or so away. */
const guessedOffsetMilliseconds = 60_000

const wordsOfTime =
  /\b(exp|iat|nbf|expire[sd]?|expir(y|ation)|clock|skew|time(stamp)?|lifetime|not (yet )?(valid|active)|too (old|early|late)|in the (future|past))\b/i

const wordsOfFuture = /\b(in the future|not yet|too early)\b/i
const wordsOfPast = /\b(in the past|expired|too (old|late))\b/i
/** An `exp` that is too far away is a matter of the elements. */
const wordsOfLifetime = /\bexp(iration|iry)?\b.*\btoo far in the future\b/i

/**
 * Undefined where the clocks are not to blame: the server's shows that it could have accepted the assertion, and its words don't
 * speak of time.
 * @param date the server's, of the answer that refused
 * @param now by our clock, when the answer came
 * @param words the server's reason
 */
export function compareClocks(
  validity: Validity,
  date: number | undefined,
  now: number,
  words: string,
): ClockReading | undefined {
  const speaksOfTime = wordsOfTime.test(words)
  if (date === undefined) return speaksOfTime ? guessFrom(words) : undefined
  const isTooEarly = date + dateResolutionMilliseconds <= validity.from
  const isTooLate = date >= validity.until
  const offsetMilliseconds = date + dateResolutionMilliseconds / 2 - now
  const distance = Math.abs(offsetMilliseconds)
  if (!isTooEarly && !isTooLate && !(speaksOfTime && distance >= leastOffsetMilliseconds)) return undefined
  return { kind: distance > longestOffsetMilliseconds ? 'too_far' : 'off', offsetMilliseconds }
}

function guessFrom(words: string): ClockReading {
  const [isAhead, isBehind] = [wordsOfPast.test(words), wordsOfFuture.test(words)]
  if (isAhead === isBehind || wordsOfLifetime.test(words)) return { kind: 'unknown' }
  return { kind: 'guessed', offsetMilliseconds: isAhead ? guessedOffsetMilliseconds : -guessedOffsetMilliseconds }
}

/** What the operator is told where the clocks can't be brought together here. */
export function adviceOn(reading: ClockReading): string | undefined {
  if (reading.kind === 'off') return undefined
  if (reading.kind !== 'too_far')
    return 'The server speaks of time and sends no Date: compare its clock with the one of this machine.'
  const seconds = Math.round(Math.abs(reading.offsetMilliseconds) / 1000)
  const side = reading.offsetMilliseconds > 0 ? 'ahead of' : 'behind'
  return `The server's clock is ${seconds} s ${side} ours, and more than ${longestOffsetMilliseconds / 1000} s are not followed: set the clock that is wrong.`
}

/** How far authorization servers' clocks are ahead of ours, in milliseconds, as learned from their refusals. */
export type ClockOffsets = ReturnType<typeof createClockOffsets>

export function createClockOffsets() {
  const offsets = new Map<string, number>()
  return {
    of(authorizationServer: string): number {
      return offsets.get(authorizationServer) ?? 0
    },
    learn(authorizationServer: string, milliseconds: number): void {
      offsets.set(authorizationServer, milliseconds)
    },
  }
}
