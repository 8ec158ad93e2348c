import type { FarEnd } from './far-end.ts'
import { createTokenFloor } from './floors.ts'
import { createPeer, peerNames, timeLimitMilliseconds } from './peers.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { figuresOf, shuffled } from './rounds.ts'
import { type CleanUp, createTokenwell } from './tokenwell.ts'

/* Many callers in one process ask at once for the same token, which the process does not have. */

export const latencyMilliseconds = 50
const us = 'Tokenwell'
const floor = 'floor: node:crypto, undici, one caller'

interface Client {
  readonly name: string
  readonly callers: number
  /**
   * Prepares a round: its callers will ask for a token that the client does not have, over a connection that it has.
   */
  prepare(round: number): Promise<() => Promise<unknown>>
}

interface Stampede {
  readonly requests: number
  readonly repeatedAssertions: number
  readonly withoutToken: number
  /** In milliseconds since the first call. */
  readonly median: number
  readonly slowest: number
}

export async function benchStampede(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  const callers = isShort ? 20 : 1_000
  const rounds = isShort ? 1 : 7
  const least = createTokenFloor(farEnd, 'ES256')
  t.after(() => least.close())
  const newToken = () => least.newToken()
  const clients = [
    { name: floor, callers: 1, prepare: async () => newToken },
    await ourClient(t, farEnd, callers),
    ...(await Promise.all(peerNames.map((name) => peerClient(name, farEnd, callers)))),
  ]
  const stampedes = await measure(clients, farEnd, newToken, rounds)

  const names = clients.map(({ name }) => name)
  const of = (name: string) => stampedes.get(name) ?? []
  const slowest = (name: string) => middle(of(name).map((stampede) => stampede.slowest))
  return {
    title: `A stampede of ${callers.toLocaleString('en')} callers`,
    name: 'stampede',
    notes: [
      `All callers ask for one token that is in no cache, over an open connection. The endpoint takes ${latencyMilliseconds} ms.`,
      `Each figure is the median of ${rounds} rounds. Each round waits until the server is idle. Milliseconds count from the first call.`,
      `Clients that keep a token are asked for that token, and the others for a new one. A caller is without a token if its client reaches its limit of ${timeLimitMilliseconds / 1_000} s or loses the connection.`,
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
      { what: 'Requests, at most in any round', is: Math.max(...of(us).map(({ requests }) => requests)), atMost: 1 },
      {
        what: "Slowest caller, as a multiple of the endpoint's latency",
        is: slowest(us) / latencyMilliseconds,
        atMost: 1.5,
      },
    ],
    picture: {
      unit: 'ms, slowest caller',
      lengths: names.map((label) => ({ label, value: slowest(label), isOurs: label === us })),
    },
  }
}

const counts = ['requests', 'repeatedAssertions', 'withoutToken'] as const

async function ourClient(t: CleanUp, farEnd: FarEnd, callers: number): Promise<Client> {
  const getToken = await createTokenwell(t, farEnd, 'ES256')
  const ask = (scope: string) =>
    getToken({ caller: 'direct', connection: 'conn', scope: [scope], further: {} }, Date.now() + 25_000)
  return {
    name: us,
    callers,
    async prepare(round) {
      await ask(`connects-${round}`)
      return () => ask(`scope-${round}`)
    },
  }
}

/** A client that keeps its token is created anew each time. The connection belongs to the process. */
async function peerClient(name: string, { issuer }: FarEnd, callers: number): Promise<Client> {
  const connecting = await createPeer(name, issuer, 'ES256')
  return {
    name,
    callers,
    async prepare() {
      await connecting.newToken()
      const { heldToken, newToken } = connecting.heldToken ? await createPeer(name, issuer, 'ES256') : connecting
      return heldToken ?? newToken
    },
  }
}

/** All clients in each round, in a new order each time. The first round is not counted. */
async function measure(
  clients: readonly Client[],
  farEnd: FarEnd,
  newToken: () => Promise<unknown>,
  rounds: number,
): Promise<ReadonlyMap<string, readonly Stampede[]>> {
  const stampedes = new Map<string, Stampede[]>(clients.map(({ name }) => [name, []]))
  await farEnd.set({ latencyMilliseconds })
  for (let round = 0; round <= rounds; round++)
    for (const { name, callers, prepare } of shuffled(clients)) {
      await untilCalm(newToken)
      const stampede = await run(farEnd, callers, await prepare(round))
      if (round > 0) stampedes.get(name)?.push(stampede)
    }
  return stampedes
}

/** Waits until the work of the last stampede is done, because a server with a thousand pending handshakes is slow. */
async function untilCalm(newToken: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const startedAt = performance.now()
    await newToken()
    if (performance.now() - startedAt < latencyMilliseconds * 1.2) return
  }
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
