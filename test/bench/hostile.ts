import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createAuthority } from '../hostile/authority.ts'
import { type Behaviour, fine } from '../hostile/behaviour.ts'
import { families } from '../hostile/behaviours.ts'
import { besideOthers, cell, readmePath, withRowsBelow } from '../hostile/table.ts'
import { startScriptedTokenEndpoint } from '../support/servers/scripted-token-endpoint.ts'
import type { Finding, HostileTask } from './hostile-peer.ts'
import { peerNames } from './peers.ts'

/*
 * npm run bench -- hostile: runs each behaviour of test/hostile with each client. Every client has its own process, and
 * its own server with the same behaviour. It writes the table below "Beside other clients" in that folder's README.
 */
const clients = ['Tokenwell', ...peerNames]
const stopMilliseconds = 10_000
/** How many clients run at a time: while they work, and while they mostly wait. */
const atATime = { working: 2, waiting: 4 } as const

const authority = await createAuthority()
const certificate = await authority.issue()

/** How a client's process ended: the bench stopped it, or it ended by itself. */
type Ending = 'stopped' | 'ended'

interface Client {
  readonly name: string
  ask(task: HostileTask): Promise<Finding | Ending>
  end(): void
}

/** A client that is stopped loses its process. The next task starts a new one. */
function createClient(name: string, caPath: string): Client {
  let running: Promise<ChildProcess> | undefined
  const start = async () => {
    const child = fork(join(import.meta.dirname, 'hostile-peer.ts'), [name], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: caPath },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    await once(child, 'message')
    return child
  }
  const end = () => {
    void running?.then((child) => child.kill('SIGKILL'))
    running = undefined
  }

  return {
    name,
    end,
    async ask(task) {
      running ??= start()
      const child = await running
      child.send(task)
      const over = new AbortController()
      const { signal } = over
      const finding = await Promise.race([
        once(child, 'message', { signal }).then(([finding]) => finding as Finding),
        once(child, 'exit', { signal }).then(() => 'ended' as const),
        pause(stopMilliseconds, 'stopped' as const, { signal }),
      ])
      over.abort()
      if (finding === 'stopped' || finding === 'ended') end()
      return finding
    },
  }
}

/** What one client did with one behaviour. */
interface Deed {
  readonly came: Finding['came'] | Ending
  readonly requests: number
  readonly elsewhere: 'nothing' | 'connection' | 'credential'
  readonly showsSecret: boolean
}

async function observe(client: Client, { script, endpoint, form = '' }: Behaviour): Promise<Deed> {
  const elsewhere = await startScriptedTokenEndpoint(() => fine(), { certificate })
  const options = { certificate, ...(await endpoint?.(authority)) }
  const server = await startScriptedTokenEndpoint(
    (request, response, index) => script(request, response, index, elsewhere.issuer),
    options,
  )
  const finding = await client.ask({ issuer: server.issuer, certificate: options.certificate, form })
  const requests = server.attempts()
  server.close()
  elsewhere.close()

  const { came, shown, secrets, tried } =
    typeof finding === 'string' ? { came: finding, shown: '', secrets: [], tried: [] } : finding
  const sent = server.requests.flatMap(({ form }) => form.get('client_assertion') ?? [])
  const isCredential = elsewhere.requests.some(({ form, headers }) => {
    const names = ['client_assertion', 'client_secret', 'refresh_token']
    return headers.authorization !== undefined || names.some((name) => form.has(name))
  })
  const isConnection = elsewhere.attempts() > 0 || tried.length > 0
  return {
    came,
    requests,
    elsewhere: isCredential ? 'credential' : isConnection ? 'connection' : 'nothing',
    showsSecret: [...secrets, ...sent].some((secret) => shown.includes(secret)),
  }
}

/** Runs this many lanes at a time. Each client has one lane. */
async function inTurns(lanes: readonly (() => Promise<void>)[], atATime: number): Promise<void> {
  const waiting = [...lanes]
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await next()
  }
  await Promise.all(Array.from({ length: atATime }, work))
}

const places = { nothing: '', connection: '; **goes elsewhere**', credential: '; **credential elsewhere**' } as const

function describe({ came, requests, elsewhere, showsSecret }: Deed): string {
  return `${came}, ${requests}${places[elsewhere]}${showsSecret ? '; **secret in its error**' : ''}`
}

const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`

function summaryOf(deeds: readonly (readonly Deed[])[]): string[] {
  const count = (name: string, counts: (deed: Deed) => boolean) =>
    row([`*${name}*`, ...clients.map((_, index) => deeds.filter((of) => of[index] && counts(of[index])).length)])
  return [
    count('tokens', ({ came }) => came === 'token'),
    count('tokens that do not fit into a header', ({ came }) => came === 'unfit token'),
    count('errors', ({ came }) => came === 'error'),
    count('neither token nor error', ({ came }) => came === 'neither token nor error'),
    count('process ended by itself', ({ came }) => came === 'ended'),
    count('stopped after 10 s', ({ came }) => came === 'stopped'),
    count('credentials to another origin', ({ elsewhere }) => elsewhere === 'credential'),
    count('connections to another origin', ({ elsewhere }) => elsewhere === 'connection'),
    count('errors that show a secret', ({ showsSecret }) => showsSecret),
  ]
}

/** @param part runs only behaviours with this in their names, and writes no table */
export async function benchHostile(part = ''): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-hostile-'))
  const caPath = join(folder, 'ca.pem')
  await writeFile(caPath, authority.caCertificate)
  const all = families.flatMap(({ behaviours }) => behaviours)
  const behaviours = all.filter(({ name }) => name.includes(part))
  const found = new Map<string, Deed>()
  const running = clients.map((name) => createClient(name, caPath))

  const lanesOf = (some: readonly Behaviour[]) =>
    running.map((client) => async () => {
      for (const behaviour of some) {
        const deed = await observe(client, behaviour)
        found.set(`${client.name} ${behaviour.name}`, deed)
        if (deed.came === 'stopped') console.error(`${client.name}: ${behaviour.name}: stopped after 10 s`)
      }
      console.error(`${client.name}: ${some.length} behaviours`)
    })
  try {
    await inTurns(lanesOf(behaviours.filter(({ hangs }) => !hangs)), atATime.working)
    await inTurns(lanesOf(behaviours.filter(({ hangs }) => hangs)), atATime.waiting)
  } finally {
    for (const client of running) client.end()
    await rm(folder, { recursive: true, force: true })
  }

  const deeds = behaviours.map(({ name }) => clients.map((client) => found.get(`${client} ${name}`) as Deed))
  const rows = [
    row(['behaviour', ...clients]),
    row(['---', ...clients.map(() => '---')]),
    ...summaryOf(deeds),
    ...behaviours.map(({ name }, index) => row([cell(name), ...(deeds[index] ?? []).map(describe)])),
  ]
  if (part === '') await writeFile(readmePath, withRowsBelow(besideOthers, rows))
  for (const line of rows) console.log(line)
}
