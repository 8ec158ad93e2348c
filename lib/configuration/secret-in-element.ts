/** Attribute names under which people write secrets. */
const telltaleName = /pass(word|phrase)|secret|private_?key|api_?key|credential/i

const telltaleValues: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key in PEM'],
  [/^\{(xor|aes|aes-128|hash)\}/i, 'an encoded password'],
  [/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/, 'a signed token'],
  [/"(d|k)"\s*:\s*"[\w-]{16,}"/, 'a private JWK'],
]

/** Whether an attribute of that name is where a secret would stand. */
export function soundsSecret(attribute: string): boolean {
  return telltaleName.test(attribute)
}

/** What kind of secret stands somewhere in this value; undefined where none is seen. */
export function secretIn(value: unknown): string | undefined {
  if (typeof value === 'string') return telltaleValues.find(([pattern]) => pattern.test(value.trim()))?.[1]
  if (typeof value !== 'object' || value === null) return undefined
  if (isPrivateJwk(value)) return 'a private JWK'
  return Object.values(value)
    .map(secretIn)
    .find((found) => found !== undefined)
}

function isPrivateJwk(value: object): boolean {
  return 'kty' in value && ('d' in value || 'k' in value)
}
