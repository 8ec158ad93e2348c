import type { Log } from '../log/log-event.ts'
import type { Connection } from './connection.ts'
import type { ElementStore } from './element-store.ts'
import { resolveConnection } from './resolve-connection.ts'
import type { Surroundings } from './surroundings.ts'

/** The connections of one process, each resolved at its first use and kept. */
export interface Connections {
  /**
   * @throws {UnknownConnectionError}
   * @throws {ConfigurationError}
   */
  get(name: string): Promise<Connection>
}

export interface ConnectionsParts {
  readonly elements: ElementStore
  readonly surroundings: Surroundings
  readonly now: () => number
  readonly log: Log
}

export function createConnections({ elements, surroundings, now, log }: ConnectionsParts): Connections {
  const resolved = new Map<string, Promise<Connection>>()

  async function resolve(name: string): Promise<Connection> {
    const startedAt = now()
    const connection = await resolveConnection(elements, surroundings, name)
    log({ event: 'connection_resolved', connection: name, milliseconds: now() - startedAt })
    return connection
  }

  return {
    get(name) {
      const known = resolved.get(name)
      if (known) return known

      const resolving = resolve(name)
      resolved.set(name, resolving)
      // A failure is not kept: the store may have been out of reach.
      resolving.catch(() => resolved.delete(name))
      return resolving
    },
  }
}
