const unitMilliseconds = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const
const form = /^(-)?(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/

/**
 * Milliseconds of a duration in the original's notation: `30s`, `1m30s`, `2h`, `500ms`; a bare number counts in `bareUnit`.
 * Undefined where the text is no duration.
 */
export function readDuration(text: string, bareUnit: keyof typeof unitMilliseconds = 's'): number | undefined {
  if (/^-?\d{1,9}$/.test(text)) return Number(text) * unitMilliseconds[bareUnit]

  const parts = form.exec(text)
  if (!parts) return undefined
  const [, sign, hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = parts
  const total =
    Number(hours) * unitMilliseconds.h +
    Number(minutes) * unitMilliseconds.m +
    Number(seconds) * unitMilliseconds.s +
    Number(milliseconds)
  if (!Number.isSafeInteger(total)) return undefined
  return sign ? -total : total
}
