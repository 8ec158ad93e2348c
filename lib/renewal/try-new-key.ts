import { batchesOf } from '../base/semaphore.ts'
import { dependentConnections } from '../configuration/dependents.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { warmVariants } from '../fleet/connection-record.ts'
import type { FleetRecords } from '../fleet/fleet-records.ts'
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
  readonly publicationStore: PublicationStore
  readonly records: FleetRecords
  readonly renewer: TokenRenewer
  readonly announcer: Announcer
  readonly now: () => number
}

const connectionsInOneRead = 100

/** Tries new keys at the real endpoint, so that an operator hears of a server that does not take the key before callers do. */
export type NewKeyTrials = ReturnType<typeof createNewKeyTrials>

export function createNewKeyTrials(dependencies: NewKeyTrialsDependencies) {
  const { elements, publicationStore, records, renewer, announcer, now } = dependencies

  /** Puts the trial off until this run is over: a process that dies in it leaves it to the next one. */
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

  /** Undefined where nothing is kept warm that there would be something to ask for. */
  async function renewOne(jwtBuilder: string, deadline: number): Promise<Renewal | undefined> {
    let last: Renewal | undefined
    for await (const name of warmNames(jwtBuilder, deadline)) {
      if (now() >= lastBegin(deadline)) return last ?? leftFor(name)
      const renewal = await renewer.renew({ name, freshUntil: Infinity, deadline, isWarming: true })
      if (renewal.outcome === 'renewed' || renewal.outcome === 'failed') return renewal
      if (renewal.outcome !== 'not_needed' && renewal.outcome !== 'unknown') last = renewal
    }
    return last
  }

  async function* warmNames(jwtBuilder: string, deadline: number): AsyncGenerator<RecordName> {
    const connections = await dependentConnections(elements, { kind: 'jwtBuilder', id: jwtBuilder })
    // The first that is kept warm is the last that is needed.
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
     * Once a jwtBuilder's new key signs, obtains one token that is kept warm by it and announces how that went. Once a rotation in
     * the whole fleet, however many runs there are; where the server did not answer, the next run tries. Where the previous key helped
     * instead (`second-attempt.ts`) the token is announced all the same, and the log's `previous_key_tried` is what tells.
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

function lastBegin(deadline: number): number {
  return deadline - attemptMilliseconds
}

function leftFor({ group }: RecordName): Renewal {
  return { outcome: 'under_way', connection: group }
}

/** Whether the key has been judged, or can't be used for a reason of our own. */
function hasAnswered(renewal: Renewal): boolean {
  if (renewal.outcome === 'renewed') return true
  if (renewal.outcome !== 'failed') return false
  const { error } = renewal
  if (error instanceof CoolingDownError && !error.began) return false
  const cause = causeOf(error)
  return cause instanceof RefusedError || !(cause instanceof TokenEndpointError)
}
