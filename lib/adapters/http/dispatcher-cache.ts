import { LRUCache } from 'lru-cache'
import type { Transport } from '../../configuration/transport.ts'
import type { Secret } from '../../secret/secret.ts'
import type { SecretCache } from '../../secret/secret-cache.ts'
import { type Connector, createConnector, secretNamesOf } from './connector.ts'

/** Makes the dispatchers of a cache. A dispatcher sends the requests of one connection to one server. */
export interface DispatcherFactory<D extends Closable, T extends Transport> {
  create(connector: Connector, transport: T): D
}

interface Closable {
  close(): Promise<void>
}

export interface DispatcherCache<D extends Closable, T extends Transport> {
  /**
   * Returns the same dispatcher for a name as long as its certificates and the proxy's password are the same.
   * @throws {SecretError} if one of them cannot be read
   * @throws {KeyStoreError} if a secret contains no certificate
   */
  get(name: string, transport: T): Promise<D>
}

interface Entry<D> {
  readonly opening: Promise<D>
  readonly identity: readonly Secret[]
}

/** Each dispatcher may have idle sockets, and a process on Lambda may have 1,024 open files. */
const maximumDispatchers = 256

/**
 * One dispatcher for each name and TLS identity. When a secret changes, the next request gets a new dispatcher, so that removed
 * certificates are neither trusted nor presented any more.
 */
export function createDispatcherCache<D extends Closable, T extends Transport>(
  secrets: SecretCache,
  factory: DispatcherFactory<D, T>,
): DispatcherCache<D, T> {
  const entries = new LRUCache<string, Entry<D>>({
    max: maximumDispatchers,
    // Requests that are in progress on it finish normally.
    dispose: ({ opening }) => void opening.then((dispatcher) => dispatcher.close()).catch(() => {}),
  })

  async function create(transport: T): Promise<D> {
    return factory.create(await createConnector(transport, secrets), transport)
  }

  return {
    async get(name, transport) {
      const secretNames = secretNamesOf(transport)
      const identity = await Promise.all(secretNames.map((each) => secrets.get(each)))
      const known = entries.get(name)
      if (known?.identity.every((secret, index) => identity[index]?.equals(secret))) return await known.opening

      const opening = create(transport)
      entries.set(name, { opening, identity })
      opening.catch(() => {
        if (entries.peek(name)?.opening === opening) entries.delete(name)
        for (const each of secretNames) secrets.forget(each)
      })
      return await opening
    },
  }
}
