import type { Transport } from '../../configuration/connection.ts'
import type { Secret } from '../../secret/secret.ts'
import type { SecretCache } from '../../secret/secret-cache.ts'
import { type Connector, createConnector, secretNamesOf } from './connector.ts'

interface Closable {
  close(): Promise<void>
}

interface Entry<T> {
  readonly opened: Promise<T>
  readonly identity: readonly Secret[]
}

/**
 * One for each way and TLS identity; another when a secret changes: certificates that it no longer holds are trusted, and
 * shown, no more.
 */
export function createOpenedByIdentity<T extends Closable, W extends Transport>(
  secrets: SecretCache,
  open: (connector: Connector, transport: W) => T,
): (name: string, transport: W) => Promise<T> {
  const entries = new Map<string, Entry<T>>()

  return async (name, transport) => {
    const names = secretNamesOf(transport)
    const identity = await Promise.all(names.map((each) => secrets.get(each)))
    const known = entries.get(name)
    if (known?.identity.every((secret, index) => identity[index]?.equals(secret))) return known.opened

    const opened = createConnector(transport, secrets).then((connector) => open(connector, transport))
    entries.set(name, { opened, identity })
    opened.catch(() => {
      if (entries.get(name)?.opened === opened) entries.delete(name)
      for (const each of names) secrets.forget(each)
    })
    // What is under way on the old one ends in peace.
    known?.opened.then((old) => old.close()).catch(() => {})
    return opened
  }
}
