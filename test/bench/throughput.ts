import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Pool } from 'undici'
import type { FarEnd } from './far-end.ts'
import type { Behind } from './gateway-process.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { figuresOf, shuffled } from './rounds.ts'
import type { CleanUp } from './tokenwell.ts'

/* How many callers one instance serves: a hit through the local HTTP server, next to a client that keeps no token. */

const clients: readonly Behind['client'][] = ['Tokenwell', 'openid-client']
const callersAtATime = 20
const path = '/connections/conn/token'

export async function benchThroughput(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  await farEnd.set({})
  const [rounds, seconds] = isShort ? [1, 0.2] : [5, 3]
  const answered = new Map<string, number[]>(clients.map((client) => [client, []]))
  const waits = new Map<string, number[]>(clients.map((client) => [client, []]))
  const requests = new Map<string, number>(clients.map((client) => [client, 0]))
  const instances = new Map(
    await Promise.all(clients.map(async (client) => [client, await startInstance(t, client, farEnd)] as const)),
  )

  for (let round = 0; round < rounds; round++)
    for (const [client, pool] of shuffled([...instances])) {
      const before = await farEnd.counts()
      const taken = await load(pool, seconds)
      answered.get(client)?.push(taken.length / seconds)
      waits.get(client)?.push(...taken)
      const { requests: after } = await farEnd.counts()
      requests.set(client, (requests.get(client) ?? 0) + after - before.requests)
    }

  const of = (client: string) => figuresOf(answered.get(client) ?? []).median
  return {
    title: 'Throughput of one instance',
    name: 'throughput',
    notes: [
      `${callersAtATime} callers ask at the same time, and each asks again at once. There are ${rounds} rounds of ${seconds} s.`,
      'The local HTTP server passes events to the client in one process. Callers and token endpoint run on the same machine.',
      'openid-client keeps no token, so each answer is a token request.',
    ],
    table: {
      columns: ['', 'answers a second', 'median, ms', '99 of 100 within, ms', 'token requests'],
      rows: clients.map((client) => {
        const { median, high } = figuresOf(waits.get(client) ?? [])
        return [client, shown(of(client)), shown(median), shown(high), String(requests.get(client))]
      }),
    },
    picture: {
      unit: 'answers a second',
      lengths: clients.map((client) => ({ label: client, value: of(client), isOurs: client === 'Tokenwell' })),
    },
  }
}

async function startInstance(t: CleanUp, client: Behind['client'], { issuer, certificate }: FarEnd): Promise<Pool> {
  const child: ChildProcess = fork(join(import.meta.dirname, 'gateway-process.ts'), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  child.send({ client, issuer, certificate } satisfies Behind)
  const [port] = await once(child, 'message')
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: callersAtATime })
  t.after(async () => {
    await pool.destroy()
    child.disconnect()
  })
  await ask(pool)
  return pool
}

/** The time of each answer, in milliseconds. */
async function load(pool: Pool, seconds: number): Promise<number[]> {
  const taken: number[] = []
  const until = performance.now() + seconds * 1_000
  const caller = async () => {
    for (let now = performance.now(); now < until; now = performance.now()) {
      await ask(pool)
      taken.push(performance.now() - now)
    }
  }
  await Promise.all(Array.from({ length: callersAtATime }, caller))
  return taken
}

async function ask(pool: Pool): Promise<void> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const { statusCode, body } = await pool.request({ method: 'POST', path, headers, body: 'scope=orders' })
  const text = await body.text()
  if (statusCode !== 200) throw new Error(`It answers ${statusCode}: ${text}`)
}
