import type { Secret } from '../secret/secret.ts'

const maximumLength = 200
const leastPartLength = 8
/** Longer runs are assertions, tokens and keys rather than words. */
const tokenLike = /[A-Za-z0-9_\-.~+/=]{24,}/g

/**
 * A server's words in a form that can be logged: bounded, on one line, without what looks like a token. Undefined where
 * they repeat anything that was sent to it, in whatever encoding: to cut a secret out would tell where it stood.
 * @param sent what must not come back
 */
export function printableDescription(text: string, sent: readonly Secret[]): string | undefined {
  if (sent.some((secret) => repeats(text, secret.reveal()))) return undefined
  return text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(tokenLike, '[...]')
    .slice(0, maximumLength)
}

/** Whether a word is a piece of what was sent; shorter ones may be found there by chance, and tell nothing of it. */
export function isPartOf(word: string, sent: readonly Secret[]): boolean {
  return word.length >= leastPartLength && sent.some((secret) => secret.reveal().includes(word))
}

function repeats(text: string, value: string): boolean {
  if (value === '') return false
  const formEncoded = new URLSearchParams([['', value]]).toString().slice(1)
  return [value, encodeURIComponent(value), formEncoded].some((form) => text.includes(form))
}
