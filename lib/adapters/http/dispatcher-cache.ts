import { LRUCache } from 'lru-cache'
import type { Transport } from '../../configuration/connection.ts'
import type { Secret } from '../../secret/secret.ts'
import type { SecretCache } from '../../secret/secret-cache.ts'
import { type Connector, createConnector, secretNamesOf } from './connector.ts'

/** Makes the dispatchers of a cache: what sends a connection's requests to one far end. */
export interface DispatcherFactory<D extends Closable, T extends Transport> {
  create(connector: Connector, transport: T): D
}

interface Closable {
  close(): Promise<void>
}

export interface DispatcherCache<D extends Closable, T extends Transport> {
  /**
   * The same dispatcher for a name, as long as its certificates and the proxy's password are the same.
   * @throws {SecretError} when one of them can't be read
   * @throws {KeyStoreError} when a secret holds no certificate
   */
  get(name: string, transport: T): Promise<D>
}

interface Entry<D> {
  readonly opening: Promise<D>
  readonly identity: readonly Secret[]
}

/** Each may have sockets that idle, and a process on Lambda may have 1,024 open files. */
const maximumDispatchers = 256

/**
 * One dispatcher for each name and TLS identity, and another one when a secret changes: certificates that a secret no longer
 * holds are neither trusted nor presented any more.
 */
export function createDispatcherCache<D extends Closable, T extends Transport>(
  secrets: SecretCache,
  factory: DispatcherFactory<D, T>,
): DispatcherCache<D, T> {
  const entries = new LRUCache<string, Entry<D>>({
    max: maximumDispatchers,
    // Requests that are under way on it end as they would have.
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
