import { type Connection, isServed, type TokenConnection, tokensOf } from '../configuration/connection.ts'
import type { Fingerprints } from '../configuration/connection-cache.ts'
import { fingerprintOf } from '../configuration/fingerprint.ts'
import type { EarlierRecords } from './authentic-records.ts'
import type { Sealing } from './sealing.ts'

/** The number of the form. A version that covers other things takes another number, and keeps this one for comparison. */
const form = 2

/**
 * The fingerprints of elements in records. A fingerprint is a MAC, so that a reader of the store can't test guesses or see that two
 * connections are alike. During an upgrade from 0.1 the plain hash of 0.1 is written: its processes would take a MAC for changed elements.
 */
export function createFingerprints({
  sealing,
  earlierRecords,
}: {
  readonly sealing: Sealing
  readonly earlierRecords: EarlierRecords
}): Fingerprints {
  const hashes = new WeakMap<Connection, string>()

  function hashOf(connection: Connection): string {
    const hash = hashes.get(connection) ?? fingerprintOf(connection)
    hashes.set(connection, hash)
    return hash
  }

  return {
    formsOf(connection: Connection) {
      const plain = hashOf(connection)
      // Tokens may be bound to the client certificate. Version 0.1 did not cover it.
      const [main = [], ...others] = tokensOf(connection).map(certificateOf)
      const mac = sealing.fingerprint(JSON.stringify([connection.name, plain, ...main, ...others.toSorted()]))
      // Before the keys have been read, no record can be written or compared.
      if (mac === undefined) return [plain]
      const keyed = `${form}:${mac}`
      return earlierRecords === '0.1' ? [plain, keyed] : [keyed, plain]
    },
  }
}

/** The secret with the client certificate, which a further token has beside its name: a certificate may move to another token. */
function certificateOf(token: TokenConnection): readonly string[] {
  const certificate = isServed(token) ? token.authorizationServer.tls.clientCertificate : undefined
  if (certificate === undefined) return []
  return token.isFurther ? [token.authentication.id, certificate] : [certificate]
}
