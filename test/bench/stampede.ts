import type { FarEnd } from './far-end.ts'
import { createTokenFloor } from './floors.ts'
import { createPeer, peerNames, timeLimitMilliseconds } from './peers.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { figuresOf, shuffled } from './rounds.ts'
import { type CleanUp, createTokenwell } from './tokenwell.ts'

/* Many callers of one process at once, all for the same token, which nobody has. */

export const latencyMilliseconds = 50
const us = 'Tokenwell'
const floor = 'floor: node:crypto, undici, one caller'

/** A client before each round: it has connections and no token. */
interface Client {
  readonly name: string
  readonly callers: number
  /** How its callers ask in that round. */
  prepare(round: number): Promise<() => Promise<unknown>>
}

interface Stampede {
  readonly requests: number
  readonly repeatedAssertions: number
  readonly withoutToken: number
  /** In milliseconds since all have called. */
  readonly median: number
  readonly slowest: number
}

export async function benchStampede(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  const callers = isShort ? 20 : 1_000
  const rounds = isShort ? 1 : 9
  const clients = [...(await ourClients(t, farEnd, callers)), ...(await peerClients(farEnd, callers))]
  const stampedes = await measure(clients, farEnd, rounds)

  const names = clients.map(({ name }) => name)
  const of = (name: string) => stampedes.get(name) ?? []
  const slowest = (name: string) => middle(of(name).map((stampede) => stampede.slowest))
  return {
    title: `A stampede of ${callers.toLocaleString('en')} callers`,
    name: 'stampede',
    notes: [
      `For one token that nobody has, with connections open; the endpoint takes ${latencyMilliseconds} ms. The middle of ${rounds} rounds; the milliseconds count from the first call.`,
      `Peers that keep a token are asked for that one, the others for a new one. Whom a peer's limit of ${timeLimitMilliseconds / 1_000} s or a lost connection leaves without a token has none.`,
    ],
    table: {
      columns: ['', 'requests', 'repeated assertions', 'without a token', 'median, ms', 'slowest, ms', 'times latency'],
      rows: names.map((name) => [
        name,
        ...counts.map((count) => middle(of(name).map((stampede) => stampede[count])).toFixed(0)),
        shown(middle(of(name).map(({ median }) => median))),
        shown(slowest(name)),
        (slowest(name) / latencyMilliseconds).toFixed(2),
      ]),
    },
    bars: [
      { what: 'requests, at most in any round', is: Math.max(...of(us).map(({ requests }) => requests)), atMost: 1 },
      { what: "slowest caller, times the endpoint's latency", is: slowest(us) / latencyMilliseconds, atMost: 1.5 },
    ],
    picture: {
      unit: 'ms, slowest caller',
      lengths: names.map((label) => ({ label, value: slowest(label), isOurs: label === us })),
    },
  }
}

const counts = ['requests', 'repeatedAssertions', 'withoutToken'] as const

async function ourClients(t: CleanUp, farEnd: FarEnd, callers: number): Promise<Client[]> {
  const least = createTokenFloor(farEnd, 'ES256')
  t.after(() => least.close())
  const getToken = await createTokenwell(t, farEnd, 'ES256')
  return [
    { name: floor, callers: 1, prepare: async () => () => least.newToken() },
    {
      name: us,
      callers,
      async prepare(round) {
        const request = { connection: 'conn', scope: [`scope-${round}`], further: {} }
        return () => getToken(request, Date.now() + 25_000)
      },
    },
  ]
}

/** One that keeps its token is made anew for each round; its connections are of the process. */
async function peerClients({ issuer }: FarEnd, callers: number): Promise<Client[]> {
  const clients: Client[] = []
  for (const name of peerNames) {
    const first = await createPeer(name, issuer, 'ES256')
    const prepare = async () => {
      const { heldToken, newToken } = first.heldToken ? await createPeer(name, issuer, 'ES256') : first
      return heldToken ?? newToken
    }
    clients.push({ name, callers, prepare })
  }
  return clients
}

/** All in each round, in another order each time; the first round, which connects, isn't counted. */
async function measure(
  clients: readonly Client[],
  farEnd: FarEnd,
  rounds: number,
): Promise<ReadonlyMap<string, readonly Stampede[]>> {
  const stampedes = new Map<string, Stampede[]>(clients.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++)
    for (const { name, callers, prepare } of shuffled(clients)) {
      const stampede = await run(farEnd, callers, await prepare(round))
      if (round > 0) stampedes.get(name)?.push(stampede)
    }
  return stampedes
}

async function run(farEnd: FarEnd, callers: number, call: () => Promise<unknown>): Promise<Stampede> {
  await farEnd.set({ latencyMilliseconds })
  const startedAt = performance.now()
  const answers = await Promise.all(
    Array.from({ length: callers }, async () => {
      const hasToken = await call().then(Boolean, () => false)
      return { hasToken, milliseconds: performance.now() - startedAt }
    }),
  )
  const { requests, repeatedAssertions } = await farEnd.counts()
  const times = answers.map(({ milliseconds }) => milliseconds)
  return {
    requests,
    repeatedAssertions,
    withoutToken: answers.filter(({ hasToken }) => !hasToken).length,
    median: figuresOf(times).median,
    slowest: Math.max(...times),
  }
}

function middle(values: readonly number[]): number {
  return figuresOf(values).median
}
