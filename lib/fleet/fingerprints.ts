import { type Connection, fingerprintOf } from '../configuration/connection.ts'
import type { Fingerprints } from '../configuration/connection-cache.ts'
import type { EarlierRecords } from './authentic-records.ts'
import type { Sealing } from './sealing.ts'

/** The number of the form. A version that takes something else into account writes another one, and keeps this one to compare by. */
const form = 2

/**
 * How records name the elements of a connection: by a MAC, so that whoever reads them can test no guess, and tell no two connections
 * alike. While 0.1 is upgraded its form is written, the plain hash: its processes would take any other for a change of the elements.
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
      const { clientCertificate } = connection.authorizationServer.tls
      // Tokens may be bound to it. 0.1 did not take it into account.
      const bound = clientCertificate === undefined ? [] : [clientCertificate]
      const mac = sealing.fingerprint(JSON.stringify([connection.name, plain, ...bound]))
      // Before the keys have been read there is nothing that could be written or compared.
      if (mac === undefined) return [plain]
      const keyed = `${form}:${mac}`
      return earlierRecords === '0.1' ? [plain, keyed] : [keyed, plain]
    },
  }
}
