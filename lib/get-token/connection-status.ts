import { describeFailure, type Failure } from '../base/tokenwell-error.ts'
import type { Deployment } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { Finding } from '../configuration/finding.ts'
import { type ConnectionFilter, type ListedConnection, listConnections } from '../configuration/inspect-elements.ts'
import type { ClockOffsets } from '../token-endpoint/clock-offset.ts'
import { causeOf } from './token-error.ts'

/** How a connection's last token requests went, as far as this process knows. Milliseconds since the epoch. */
export interface Outcome {
  readonly obtainedAt?: number
  readonly failedAt?: number
  readonly failure?: Failure['code']
}

/** What came of the last token requests of each connection. */
export type OutcomeLog = ReturnType<typeof createOutcomeLog>

export function createOutcomeLog(now: () => number) {
  const outcomes = new Map<string, Outcome>()

  function of(connection: string): Outcome {
    return outcomes.get(connection) ?? {}
  }

  return {
    of,
    noteToken(connection: string): void {
      outcomes.set(connection, { ...of(connection), obtainedAt: now() })
    },
    noteFailure(connection: string, error: unknown): void {
      const { code: failure } = describeFailure(causeOf(error))
      outcomes.set(connection, { ...of(connection), failedAt: now(), failure })
    },
  }
}

/** A configured connection, and how it fares in this process. */
export interface ConnectionStatus extends ListedConnection {
  readonly outcome: Outcome
  /** How far the clock of its authorization server is ahead of ours. */
  readonly clockOffsetMilliseconds: number
}

export interface ConnectionStatuses {
  readonly connections: readonly ConnectionStatus[]
  /** What is wrong with the elements as a whole; empty where a filter is given. */
  readonly findings: readonly Finding[]
}

export interface StatusReaderDependencies {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly outcomes: OutcomeLog
  readonly clockOffsets: ClockOffsets
}

/** For operators, not for token requests: it reads all elements of the connections that it lists. */
export function createStatusReader({ elements, deployment, outcomes, clockOffsets }: StatusReaderDependencies) {
  function statusOf(listed: ListedConnection): ConnectionStatus {
    const server = listed.connection?.authorizationServer.id
    return {
      ...listed,
      outcome: outcomes.of(listed.name),
      clockOffsetMilliseconds: server === undefined ? 0 : clockOffsets.of(server),
    }
  }

  return {
    /**
     * @param filter left out, all connections are listed
     * @throws {ElementStoreError}
     */
    async read(filter?: ConnectionFilter): Promise<ConnectionStatuses> {
      const listed = await listConnections(elements, deployment, filter)
      // They are of no connection in particular, and may name any.
      const findings = filter ? [] : await elements.findings()
      return { connections: listed.map((each) => statusOf(each)), findings }
    },
  }
}
