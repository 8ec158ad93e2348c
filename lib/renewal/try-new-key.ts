import { batchesOf } from '../base/semaphore.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import { isServed, type ServedConnection, signedJwtsOf, tokensOf } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { dependentConnections } from '../configuration/dependents.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { FleetRecords } from '../fleet/fleet-records.ts'
import { warmVariants } from '../fleet/kept-warm.ts'
import type { RecordName } from '../fleet/record-store.ts'
import { attemptMilliseconds } from '../get-token/from-fleet.ts'
import { CoolingDownError, causeOf } from '../get-token/token-error.ts'
import type { PublicationStore } from '../key-lifecycle/publication-store.ts'
import type { PublishedSet } from '../key-lifecycle/published-keys.ts'
import { RefusedError, TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'
import type { Announcer, Renewal } from './announce-renewals.ts'
import type { TokenRenewer } from './renew-token.ts'

export interface NewKeyTrialsDependencies {
  readonly elements: ElementStore
  readonly connections: ConnectionCache
  readonly publicationStore: PublicationStore
  readonly records: FleetRecords
  readonly renewer: TokenRenewer
  readonly announcer: Announcer
  readonly now: () => number
}

const connectionsInOneRead = 100

/** Tries new keys at the real token endpoint, so that the operator learns before callers do if the server rejects the key. */
export type NewKeyTrials = ReturnType<typeof createNewKeyTrials>

export function createNewKeyTrials(dependencies: NewKeyTrialsDependencies) {
  const { elements, connections, publicationStore, records, renewer, announcer, now } = dependencies

  /** Postpones the trial until this run is over. If this process ends early, the next run tries the key. */
  async function claim(jwtBuilder: string, deadline: number): Promise<boolean> {
    let isMine = false
    await amend(jwtBuilder, deadline, (before) => {
      isMine = before.tryAt !== undefined && before.tryAt <= now()
      return isMine ? { ...before, tryAt: deadline } : 'unchanged'
    })
    return isMine
  }

  async function amend(
    jwtBuilder: string,
    deadline: number,
    change: (before: PublishedSet) => PublishedSet | 'unchanged',
  ): Promise<void> {
    await publicationStore.change(
      jwtBuilder,
      async (before) => (before?.kind === 'keys' ? change(before) : 'unchanged'),
      deadline,
    )
  }

  /** Undefined if no token is kept warm that could be requested with the key. */
  async function renewOne(jwtBuilder: string, deadline: number): Promise<Renewal | undefined> {
    let last: Renewal | undefined
    for await (const name of warmNames(jwtBuilder, deadline)) {
      if (now() >= lastBegin(deadline)) return last ?? leftFor(name)
      const tokens = await requestedWith(jwtBuilder, name.group)
      const renewal = await renewer.renew({ name, tokens, freshUntil: Infinity, deadline, isWarming: true })
      if (renewal.outcome === 'renewed' || renewal.outcome === 'failed') return renewal
      if (renewal.outcome !== 'not_needed' && renewal.outcome !== 'unknown') last = renewal
    }
    return last
  }

  /** The tokens of a connection that are requested with the key. Undefined if the elements can't be read: the renewal reports why. */
  async function requestedWith(jwtBuilder: string, name: string): Promise<readonly (string | undefined)[] | undefined> {
    try {
      const { connection } = await connections.get(name)
      const signed = tokensOf(connection).filter((token) => isServed(token) && isSignedBy(jwtBuilder, token))
      return signed.map(({ isFurther, authentication }) => (isFurther ? authentication.id : undefined))
    } catch (error) {
      if (error instanceof TokenwellError) return undefined
      throw error
    }
  }

  async function* warmNames(jwtBuilder: string, deadline: number): AsyncGenerator<RecordName> {
    const connections = await dependentConnections(elements, { kind: 'jwtBuilder', id: jwtBuilder })
    // One token is enough, so further connections are read only if none was found before.
    for (const groups of batchesOf(connections, connectionsInOneRead)) {
      const found = await records.readConnections(groups, lastBegin(deadline))
      for (const [position, group] of groups.entries()) {
        const record = found[position]
        for (const { id } of record ? warmVariants(record, now()) : []) yield { group, id }
      }
    }
  }

  return {
    /**
     * Once a jwtBuilder's new key signs, obtains one warm token with it and raises an event about the outcome. This happens once
     * for each rotation in the whole fleet. If the server did not answer, the next run tries again. If the previous key worked
     * instead (`second-attempt.ts`), the token is still announced, and only the log event `previous_key_tried` shows it.
     * @param deadline milliseconds since the epoch: when the run ends
     * @throws {CacheUnavailableError}
     * @throws {ElementStoreError}
     */
    async tryKey(jwtBuilder: string, deadline: number): Promise<void> {
      if (now() >= lastBegin(deadline) || !(await claim(jwtBuilder, deadline))) return
      const renewal = await renewOne(jwtBuilder, deadline)
      if (renewal) await announcer.announce([renewal])
      if (renewal && !hasAnswered(renewal)) return
      await amend(jwtBuilder, deadline, ({ tryAt, ...rest }) => (tryAt === deadline ? rest : 'unchanged'))
    },
  }
}

/** Whether a key of the jwtBuilder signs what the token is requested with. */
function isSignedBy(jwtBuilder: string, token: ServedConnection): boolean {
  return signedJwtsOf(token).some(({ key }) => key.jwtBuilder === jwtBuilder)
}

function lastBegin(deadline: number): number {
  return deadline - attemptMilliseconds
}

function leftFor({ group }: RecordName): Renewal {
  return { outcome: 'under_way', connection: group }
}

/** Whether the server accepted or refused the key, or a failure inside Tokenwell kept the key from being tried. */
function hasAnswered(renewal: Renewal): boolean {
  if (renewal.outcome === 'renewed') return true
  if (renewal.outcome !== 'failed') return false
  const { error } = renewal
  if (error instanceof CoolingDownError && !error.began) return false
  const cause = causeOf(error)
  return cause instanceof RefusedError || !(cause instanceof TokenEndpointError)
}
