import type { Ports } from '../../lib/application/application.ts'
import { RecordStoreError } from '../../lib/fleet/record-store.ts'
import { someTokenMemory } from '../support/virtual/some-token.ts'
import type { Bench } from './benches.ts'
import type { FarEnd } from './far-end.ts'
import { createOwnTokenFloor, createTokenFloor } from './floors.ts'
import { createPeer, type PeerAlgorithm, peerNames, signingPeers } from './peers.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { measure, type Rounds, type Subject } from './rounds.ts'
import { type CleanUp, createTokenwell } from './tokenwell.ts'

/* The cost of a token that is in no cache, over an open connection. */

const aimedAt = 1.1
const us = 'Tokenwell'
const underLease = 'Tokenwell, under a lease'
const floor = 'floor: node:crypto, undici'
const ownFloor = 'the same with parts of Tokenwell'

const none = () => Promise.reject(new RecordStoreError('there is none'))
const withoutCache: Partial<Ports> = {
  store: { read: none, write: none, due: none },
  memory: { ...someTokenMemory(1), get: () => undefined, put() {} },
}

export function newTokenBench(algorithm: PeerAlgorithm): Bench {
  return (t, farEnd, isShort) => benchNewToken(t, farEnd, algorithm, isShort)
}

async function benchNewToken(t: CleanUp, farEnd: FarEnd, algorithm: PeerAlgorithm, isShort: boolean): Promise<Report> {
  await farEnd.set({})
  const least = createTokenFloor(farEnd, algorithm)
  const leastByParts = createOwnTokenFloor(farEnd, algorithm)
  t.after(() => Promise.all([least.close(), leastByParts.close()]))
  const alone = await createTokenwell(t, farEnd, algorithm, withoutCache)
  const shared = await createTokenwell(t, farEnd, algorithm)
  const deadline = () => Date.now() + 25_000
  const subjects: Subject[] = [
    { name: floor, call: () => least.newToken() },
    { name: ownFloor, call: () => leastByParts.newToken() },
    { name: us, call: () => alone({ caller: 'direct', connection: 'conn', further: {} }, deadline()) },
    {
      name: underLease,
      call: (index) =>
        shared({ caller: 'direct', connection: 'conn', scope: [`scope-${index}`], further: {} }, deadline()),
    },
  ]
  for (const name of peerNames) {
    const peer = await createPeer(name, farEnd.issuer, algorithm)
    subjects.push({ name, call: () => peer.newToken() })
  }
  const rounds: Rounds = { rounds: isShort ? 1 : 40, callsPerRound: isShort ? 5 : 60, isEachTimed: true }
  const figures = await measure(subjects, rounds)

  const of = (name: string) => figures.get(name)?.median ?? Number.NaN
  const names = subjects.map(({ name }) => name).toSorted((a, b) => of(a) - of(b))
  const unsigned = peerNames.filter((name) => !signingPeers.includes(name))
  return {
    title: `A new token, ${algorithm}`,
    name: `new-token-${algorithm.toLowerCase()}`,
    notes: [
      `Each call runs the whole of \`get-token\`. There are ${rounds.rounds} rounds of ${rounds.callsPerRound} calls, and each call is timed.`,
      `${us} has no cache in this bench, as when the cache is unreachable.`,
      'Under a lease it asks for another scope each time. It then writes what a fleet shares, in memory: lease, token, use and cool-downs.',
      "The floor is a signature and a round trip, each with its library's usual call.",
      "Tokenwell signs with jose and reads the answer with undici's `dispatch` ([decision 7](../../lib/decisions/0007-one-exchange-by-dispatch.md)).",
      `${unsigned.join(', ')} send a secret instead of a signature.`,
    ],
    table: {
      columns: ['', 'median, ms', 'least, ms', 'times the floor'],
      rows: names.map((name) => {
        const { median = Number.NaN, minimum = Number.NaN } = figures.get(name) ?? {}
        return [name, shown(median / 1_000), shown(minimum / 1_000), (median / of(floor)).toFixed(2)]
      }),
    },
    bars: [{ what: `Median of ${us}, as a multiple of the floor's`, is: of(us) / of(floor), atMost: aimedAt }],
    picture: {
      unit: 'ms, median',
      lengths: names.map((label) => ({
        label,
        value: of(label) / 1_000,
        isOurs: label === us || label === underLease,
      })),
    },
  }
}
