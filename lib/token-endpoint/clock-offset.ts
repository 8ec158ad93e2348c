import type { Validity } from '../signing/assertion.ts'

/** What a refusal says about the clocks. */
export type ClockReading =
  /** The server's clock is ahead of Tokenwell's by this offset. */
  | { readonly kind: 'off'; readonly offsetMilliseconds: number }
  /** The same, but the offset is too large to adjust to. */
  | { readonly kind: 'too_far'; readonly offsetMilliseconds: number }
  /** The server says that its clock is ahead or behind, but not by how much. One attempt may use this guess. */
  | { readonly kind: 'guessed'; readonly offsetMilliseconds: number }
  /** The server names the time as a reason, without a direction. */
  | { readonly kind: 'unknown' }

/** A `Date` header has whole seconds. */
const dateResolutionMilliseconds = 1_000
/** A smaller difference is never the reason, whatever the server says. */
const leastOffsetMilliseconds = 2_000
/** With a larger offset, a server with a wrong clock could obtain assertions that are valid on another day. */
export const longestOffsetMilliseconds = 300_000

/** Servers tolerate some difference, so that this one step reaches clocks that differ by about a minute. */
const guessedOffsetMilliseconds = 60_000

const wordsOfTime =
  /\b(exp|iat|nbf|expire[sd]?|expir(y|ation)|clock|skew|time(stamp)?|lifetime|not (yet )?(valid|active)|too (old|early|late)|in the (future|past))\b/i

const wordsOfFuture = /\b(in the future|not yet|too early)\b/i
const wordsOfPast = /\b(in the past|expired|too (old|late))\b/i
/** An `exp` that is too far away comes from the elements, not from the clocks. */
const wordsOfLifetime = /\bexp(iration|iry)?\b.*\btoo far in the future\b/i

/**
 * Undefined where the clocks are not the reason: by the server's clock the assertion was valid, and the server's words don't name
 * the time.
 * @param date the `Date` of the refusal, by the server's clock
 * @param now the time when the answer came, by Tokenwell's clock
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

/** What the operator must do where Tokenwell can't adjust to the server's clock. */
export function adviceOn(reading: ClockReading): string | undefined {
  if (reading.kind === 'off') return undefined
  if (reading.kind !== 'too_far')
    return "The server names the time as a reason, but sends no Date header. Compare its clock with the clock of Tokenwell's host."
  const seconds = Math.round(Math.abs(reading.offsetMilliseconds) / 1000)
  const side = reading.offsetMilliseconds > 0 ? 'ahead of' : 'behind'
  const mostSeconds = longestOffsetMilliseconds / 1000
  return `The server's clock is ${seconds} s ${side} Tokenwell's. Tokenwell adjusts to at most ${mostSeconds} s: correct the clock that is wrong.`
}

/** How far the clock of each authorization server is ahead of Tokenwell's, in milliseconds, as learned from refusals. */
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
