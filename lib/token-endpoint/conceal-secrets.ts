import type { Secret } from '../secret/secret.ts'

const maximumLength = 200
/** Longer runs are assertions, tokens and keys rather than words. */
const tokenLike = /[A-Za-z0-9_\-.~+/=]{24,}/g

/** A server's words in a form that can be printed: bounded, on one line, without what looks like or is a secret. */
export function concealSecrets(text: string, secrets: readonly Secret[]): string {
  const concealed = secrets
    .map((secret) => secret.reveal())
    .filter((value) => value !== '')
    .reduce((rest, value) => rest.replaceAll(value, '[secret]'), text)
  return concealed
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(tokenLike, '[...]')
    .slice(0, maximumLength)
}
