import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { lifetimeOf } from '../../lib/access-token/lifetime.ts'
import { Secret } from '../../lib/secret/secret.ts'
import { type FarEnd, type IssuedToken, startOf } from './far-end.ts'
import { createPeer, peerNames } from './peers.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { figuresOf } from './rounds.ts'
import { type CleanUp, createTokenwell } from './tokenwell.ts'

/* Tokens expire all the time while callers keep asking. */

const tokenSeconds = 5
const ratePerSecond = 200
const latencyMilliseconds = 50
const us = 'Tokenwell'
const hits = 'Tokenwell, tokens of an hour'

interface Client {
  readonly name: string
  /** The path of its token endpoint. */
  readonly path: string
  call(): Promise<unknown>
}

interface Answer {
  /** Undefined if there was no token. */
  readonly token?: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly microseconds: number
}

interface Finding {
  readonly calls: number
  readonly withoutToken: number
  readonly expired: number
  /** The shortest time to its expiry that a token had when it was handed out, in milliseconds. */
  readonly leastLeft: number
  readonly requests: number
  readonly median: number
  readonly high: number
  readonly slowest: number
}

export async function benchRefresh(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  const seconds = isShort ? 4 : 60
  const peers = await peersThatKeep(farEnd)
  const ours = await ourClients(t, farEnd)
  // Everything that is known about the tokens of an hour.
  const before = await farEnd.issued()
  const ourFindings = await observe(ours, farEnd, seconds, before)
  const findings = new Map([...ourFindings, ...(await observe(peers, farEnd, seconds))])

  const of = (name: string) => findings.get(name) ?? nothing
  const names = [us, hits, ...peers.map(({ name }) => name)]
  const asked = requestsAskedFor(seconds)
  return {
    title: `Tokens of ${tokenSeconds} s`,
    name: 'refresh',
    notes: [
      `There are ${ratePerSecond} calls a second for ${seconds} s, whether or not earlier ones are answered. The endpoint takes ${latencyMilliseconds} ms.`,
      "Both rows of Tokenwell were measured at the same time, and then the other clients at the same time. The server's clock decides whether a token has expired when it is handed out.",
      `In that time Tokenwell's lifetime policy requests ${asked} tokens: the first, and another after four fifths of each token's usable time.`,
      'Clients that keep no token are left out. @azure/msal-node and google-auth-library renew a token five minutes before its end, so they renew at each call of this bench.',
    ],
    table: {
      columns: [
        '',
        'calls',
        'no token',
        'expired',
        'least left, ms',
        'requests',
        'median, us',
        'p99, us',
        'slowest, ms',
      ],
      rows: names.map((name) => rowOf(name, of(name))),
    },
    bars: [
      { what: 'Expired tokens, and calls without a token', is: of(us).expired + of(us).withoutToken, atMost: 0 },
      { what: 'Requests, as a multiple of what the policy requests', is: of(us).requests / asked, atMost: 1.1 },
      // Not 1: callers that renew a token are among the slowest hundredth.
      {
        what: 'p99 of callers, as a multiple of the p99 of hits at the same time',
        is: of(us).high / of(hits).high,
        atMost: 1.25,
      },
    ],
    picture: {
      unit: 'us, p99',
      lengths: names.map((label) => ({ label, value: of(label).high, isOurs: label.startsWith(us) })),
    },
  }
}

const nothing: Finding = {
  calls: 0,
  withoutToken: 0,
  expired: 0,
  leastLeft: 0,
  requests: 0,
  median: Number.NaN,
  high: Number.NaN,
  slowest: Number.NaN,
}

function rowOf(name: string, finding: Finding): string[] {
  const { calls, withoutToken, expired, leastLeft, requests, median, high, slowest } = finding
  const counts = [calls, withoutToken, expired, leastLeft, requests].map((count) => count.toFixed(0))
  return [name, ...counts, shown(median), shown(high), shown(slowest / 1_000)]
}

/** The average, because the time of each renewal is random. */
function requestsAskedFor(seconds: number): number {
  const policy = { assumedLifetimeSeconds: tokenSeconds }
  const answer = { expiresInSeconds: tokenSeconds, accessToken: new Secret('opaque') }
  return 1 + Math.floor((seconds * 1_000) / lifetimeOf(answer, policy, 0, 0.5).refreshAt)
}

async function ourClients(t: CleanUp, farEnd: FarEnd): Promise<Client[]> {
  const [brief, long] = await Promise.all([ourClient(t, farEnd, us, '/brief'), ourClient(t, farEnd, hits, '/long')])
  await farEnd.set({})
  // So that the bench does not measure the compiler. One token serves all these calls and the whole run.
  for (let call = 0; call < 5_000; call++) await long.call()
  return [brief, long]
}

async function ourClient(t: CleanUp, farEnd: FarEnd, name: string, path: string): Promise<Client> {
  const { issuer, certificate } = farEnd
  const getToken = await createTokenwell(t, { issuer: issuer + path, certificate }, 'ES256')
  return {
    name,
    path,
    async call() {
      const { token } = await getToken({ caller: 'direct', connection: 'conn', further: {} }, Date.now() + 25_000)
      return token.accessToken.reveal()
    },
  }
}

async function peersThatKeep({ issuer }: FarEnd): Promise<Client[]> {
  const clients: Client[] = []
  for (const [index, name] of peerNames.entries()) {
    const path = `/peer-${index}`
    const { heldToken } = await createPeer(name, issuer + path, 'ES256')
    if (heldToken) clients.push({ name, path, call: heldToken })
  }
  return clients
}

async function observe(
  clients: readonly Client[],
  farEnd: FarEnd,
  seconds: number,
  before: readonly IssuedToken[] = [],
): Promise<[string, Finding][]> {
  await farEnd.set({ latencyMilliseconds, expiresIn: tokenSeconds })
  // Other benches measure the start of a client.
  for (const { call } of clients) await call()
  const answers = await callAtRate(clients, seconds)
  const issued = await farEnd.issued()
  const expiries = new Map([...before, ...issued].map(({ start, expiresAt }) => [start, expiresAt]))
  return clients.map((client) => [
    client.name,
    findingOf(answers.get(client) ?? [], expiries, requestsOf(client, issued)),
  ])
}

/** Each client has its own time slot, so that no call waits for another client's work. */
async function callAtRate(
  clients: readonly Client[],
  seconds: number,
): Promise<ReadonlyMap<Client, readonly Answer[]>> {
  const calls = new Map<Client, Promise<Answer>[]>(clients.map((client) => [client, []]))
  const startedAt = performance.now()
  for (let index = 0; index < seconds * ratePerSecond * clients.length; index++) {
    const due = startedAt + (index * 1_000) / (ratePerSecond * clients.length)
    const early = due - performance.now()
    await (early > 0 ? pause(early) : turn())
    const client = clients[index % clients.length]
    if (client) calls.get(client)?.push(timed(client))
  }
  const answers = [...calls].map(async ([client, each]) => [client, await Promise.all(each)] as const)
  return new Map(await Promise.all(answers))
}

async function timed({ call }: Client): Promise<Answer> {
  const startedAt = performance.now()
  const token = await call().catch(() => undefined)
  const microseconds = (performance.now() - startedAt) * 1_000
  return { at: Date.now(), microseconds, ...(typeof token === 'string' && { token: startOf(token) }) }
}

function requestsOf({ path }: Client, issued: readonly IssuedToken[]): number {
  return issued.filter((token) => token.path === `${path}/token`).length
}

/** A token that no server issued counts as expired. */
function findingOf(answers: readonly Answer[], expiries: ReadonlyMap<string, number>, requests: number): Finding {
  const lefts = answers.flatMap(({ token, at }) => (token === undefined ? [] : [(expiries.get(token) ?? 0) - at]))
  const times = answers.map(({ microseconds }) => microseconds)
  const { median, high } = figuresOf(times)
  return {
    calls: answers.length,
    withoutToken: answers.filter(({ token }) => token === undefined).length,
    expired: lefts.filter((left) => left <= 0).length,
    leastLeft: Math.min(...lefts),
    requests,
    median,
    high,
    slowest: Math.max(...times),
  }
}
