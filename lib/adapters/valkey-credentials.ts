import * as v from 'valibot'
import { Secret } from '../secret/secret.ts'
import { KeyStoreError } from '../signing-key/key-store-error.ts'
import type { ValkeyCredentials } from './valkey-connection.ts'

const text = v.pipe(v.string(), v.minLength(1))
const schema = v.object({
  valkey: v.optional(
    v.strictObject({ username: v.exactOptional(text), password: v.exactOptional(text), ca: v.exactOptional(text) }),
    {},
  ),
})

/**
 * The member `valkey` of the cache's secret, `{ "username"?, "password"?, "ca"? }`; a server that wants none needs none.
 * @throws {KeyStoreError}
 */
export function readValkeyCredentials(location: string, secret: Secret): ValkeyCredentials {
  const read = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), secret.reveal())
  if (!read.success)
    throw new KeyStoreError(location, 'must hold valkey as an object of the texts username, password and ca, or none.')
  const { password, ...rest } = read.output.valkey
  return { ...rest, ...(password !== undefined && { password: new Secret(password) }) }
}
