import type { HeaderValues } from '../configuration/element.ts'
import { Secret } from '../secret/secret.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { readHeaderValue, type SecretUse } from '../signing/secret-use.ts'

/** The headers that the element adds to a token request, by their names in lower case. */
export interface RequestHeaders {
  readonly headers: Readonly<Record<string, Secret>>
  /** Secrets that a server might repeat when it quotes the request. */
  readonly secrets: readonly Secret[]
}

/**
 * @throws {SecretError}
 * @throws {KeyStoreError} if a secret can't be the value of a header, or is for other hosts
 */
export async function currentHeaders(
  values: HeaderValues,
  secrets: SecretStore,
  use: SecretUse,
): Promise<RequestHeaders> {
  return await collect(values, async (name) => readHeaderValue(name, await secrets.get(name), use))
}

/** The headers with the previous value of each secret that has another one. Undefined where none has. */
export async function previousHeaders(
  values: HeaderValues,
  secrets: SecretStore,
  use: SecretUse,
): Promise<RequestHeaders | undefined> {
  let differs = false
  const previous = await collect(values, async (name) => {
    const now = readHeaderValue(name, await secrets.get(name), use)
    const stored = await secrets.getPrevious(name)
    const before = stored && readHeaderValue(name, stored, use)
    if (!before || before.equals(now)) return now
    differs = true
    return before
  })
  return differs ? previous : undefined
}

async function collect(values: HeaderValues, read: (name: string) => Promise<Secret>): Promise<RequestHeaders> {
  const pairs = await Promise.all(
    Object.entries(values).map(async ([header, value]) => {
      const isSecret = typeof value !== 'string'
      return { header, isSecret, value: isSecret ? await read(value.secret) : new Secret(value) }
    }),
  )
  return {
    headers: Object.fromEntries(pairs.map(({ header, value }) => [header, value])),
    secrets: pairs.flatMap(({ isSecret, value }) => (isSecret ? [value, ...basicPair(value)] : [])),
  }
}

/** The user and password that a server reads in `Basic ...` (RFC 7617). */
function basicPair(value: Secret): readonly Secret[] {
  const [, encoded] = /^Basic +([\w+/-]+={0,2})$/i.exec(value.reveal()) ?? []
  if (encoded === undefined) return []
  const pair = Buffer.from(encoded, 'base64').toString()
  return [pair, pair.slice(pair.indexOf(':') + 1)].filter((text) => text !== '').map((text) => new Secret(text))
}
