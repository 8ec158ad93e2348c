import { describeFailure, type Failure } from '../base/tokenwell-error.ts'
import { type Connection, isServed, type TokenConnection, tokensOf } from '../configuration/connection.ts'
import type { Deployment } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { Finding } from '../configuration/finding.ts'
import type { ConnectionFilter, ListedConnection } from '../configuration/inspect-elements.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import type { SecretDates, TlsCertificates } from '../signing/secret-dates.ts'
import type { ClockOffsets } from '../token-endpoint/clock-offset.ts'
import { causeOf } from './token-error.ts'

/** The results of the last requests for a token of a connection, as far as this process knows. Milliseconds since the epoch. */
export interface Outcome {
  readonly obtainedAt?: number
  readonly failedAt?: number
  readonly failure?: Failure['code']
}

/** The results of the last requests for each token. */
export type OutcomeLog = ReturnType<typeof createOutcomeLog>

type Named = Pick<TokenConnection, 'name' | 'authentication'>

export function createOutcomeLog(now: () => number) {
  const outcomes = new Map<string, Map<string, Outcome>>()

  function add({ name, authentication: { id } }: Named, outcome: Outcome): void {
    const ofTokens = outcomes.get(name) ?? new Map<string, Outcome>()
    outcomes.set(name, ofTokens.set(id, { ...ofTokens.get(id), ...outcome }))
  }

  return {
    /**
     * The outcome of one token of the connection: the one whose request failed last, and has not succeeded since. If no token
     * fails, the one that was obtained last. So the success of one token never hides the failure of another.
     * @param connection without it, tokens that the elements have taken out count too
     */
    of(name: string, connection?: Connection): Outcome {
      const ids = connection && tokensOf(connection).map(({ authentication: { id } }) => id)
      const all = [...(outcomes.get(name) ?? [])].flatMap(([id, each]) => (!ids || ids.includes(id) ? each : []))
      const latest = (at: (outcome: Outcome) => number) => all.toSorted((a, b) => at(b) - at(a))[0]
      const failing = latest((each) => (isFailing(each) ? (each.failedAt ?? 0) : -Infinity))
      if (failing && isFailing(failing)) return failing
      return latest(({ obtainedAt = 0 }) => obtainedAt) ?? {}
    },
    noteToken(connection: Named): void {
      add(connection, { obtainedAt: now() })
    },
    noteFailure(connection: Named, error: unknown): void {
      const { code: failure } = describeFailure(causeOf(error))
      add(connection, { failedAt: now(), failure })
    },
  }
}

function isFailing({ obtainedAt = -Infinity, failedAt = -Infinity }: Outcome): boolean {
  return failedAt > obtainedAt
}

/** A configured connection and its status in this process. */
export interface ConnectionStatus extends ListedConnection {
  readonly outcome: Outcome
  /** How far the clock of its authorization server is ahead of Tokenwell's. */
  readonly clockOffsetMilliseconds: number
}

export interface ConnectionStatuses {
  readonly connections: readonly ConnectionStatus[]
  /** Findings about the elements as a whole. Empty where a filter is given. */
  readonly findings: readonly Finding[]
}

export interface StatusReaderDependencies {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly secrets: SecretStore
  readonly certificates: TlsCertificates
  readonly outcomes: OutcomeLog
  readonly clockOffsets: ClockOffsets
  readonly now: () => number
}

/** Reads the status of connections. For operators, not for token requests: it reads all elements and secrets of the listed connections. */
export function createStatusReader(dependencies: StatusReaderDependencies) {
  const { elements, deployment, secrets, certificates, outcomes, clockOffsets, now } = dependencies
  let secretDates: SecretDates | undefined

  async function statusOf(listed: ListedConnection): Promise<ConnectionStatus> {
    const { connection, findings } = listed
    const server = connection && isServed(connection) ? connection.authorizationServer.id : undefined
    return {
      ...listed,
      findings: [...findings, ...(connection ? await datesOf(connection) : [])],
      outcome: outcomes.of(listed.name, connection),
      clockOffsetMilliseconds: server === undefined ? 0 : clockOffsets.of(server),
    }
  }

  /** Callers of tokens need no dates, and no list: both modules are loaded at their first use. */
  async function datesOf(connection: Connection): Promise<readonly Finding[]> {
    const dates = await import('../signing/secret-dates.ts')
    secretDates ??= dates.createSecretDates({ secrets, certificates })
    return dates.dateWarnings(await secretDates.of(connection, now()))
  }

  return {
    /**
     * @param filter without it, all connections are listed
     * @throws {ElementStoreError}
     */
    async read(filter?: ConnectionFilter): Promise<ConnectionStatuses> {
      const inspection = await import('../configuration/inspect-elements.ts')
      const listed = await inspection.listConnections(elements, deployment, filter)
      // These findings belong to no single connection, and may name any of them: a filtered list must not show them.
      const findings = filter ? [] : await elements.findings()
      return { connections: await Promise.all(listed.map(statusOf)), findings }
    },
  }
}
