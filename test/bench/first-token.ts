import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exampleElements } from '../support/elements/elements.ts'
import {
  createBareWorkspace,
  createHttpEvent,
  environmentOf,
  tokenRequest,
} from '../support/functions/load-function.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { type Bundle, bundleText, runBundle } from './bundled-process.ts'
import type { FarEnd } from './far-end.ts'
import { fileOf, peerNames, signingPeers } from './peers.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { measure, type Rounds } from './rounds.ts'
import type { CleanUp } from './tokenwell.ts'

/* The time from a process's start to its end, which comes with its first token. */

interface Process extends Bundle {
  readonly name: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

const us = 'Tokenwell'
const floor = 'floor: node:https, node:crypto'
const nothing = 'a process that does nothing'

export async function benchFirstToken(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  await farEnd.set({})
  const processes = await createProcesses(t, farEnd, isShort ? signingPeers.slice(0, 1) : peerNames)
  const subjects = processes.map((each) => ({ name: each.name, call: () => printToken(each) }))
  const rounds: Rounds = { rounds: isShort ? 1 : 20, callsPerRound: 1, isEachTimed: true }
  const figures = await measure(subjects, rounds)

  const of = (name: string) => figures.get(name)?.median ?? Number.NaN
  const sorted = processes.toSorted((a, b) => of(a.name) - of(b.name))
  const peers = sorted.filter(({ name }) => peerNames.includes(name))
  const [first = nothing] = peers.map(({ name }) => name)
  return {
    title: 'First token of a process',
    name: 'first-token',
    notes: [
      `The time is from the start of a Node.js process to its end, which comes with its first token (ES256). There are ${rounds.rounds} rounds.`,
      'Each process is a bundle, built like the functions. KiB do not count modules that are loaded only when needed.',
      'Tokenwell is `issue-token` with elements and secrets in files. It gets one event.',
      `${peerNames.filter((name) => !signingPeers.includes(name)).join(', ')} send a secret instead of a signature.`,
    ],
    table: {
      columns: ['', 'median, ms', 'least, ms', 'times the floor', 'bundle, KiB'],
      rows: sorted.map(({ name, kibibytes }) => {
        const { median = Number.NaN, minimum = Number.NaN } = figures.get(name) ?? {}
        return [name, shown(median / 1_000), shown(minimum / 1_000), (median / of(floor)).toFixed(2), shown(kibibytes)]
      }),
    },
    bars: [
      { what: `${us}, as a multiple of the fastest client from npm (${first})`, is: of(us) / of(first), atMost: 1 },
    ],
    picture: {
      unit: 'ms, median',
      lengths: sorted.map(({ name }) => ({ label: name, value: of(name) / 1_000, isOurs: name === us })),
    },
  }
}

async function printToken({ name, args, environment, ...bundle }: Process): Promise<void> {
  const printed = await runBundle(bundle, args, environment)
  if (name !== nothing && printed.length < 900) throw new Error(`${name} gets no token: ${printed}`)
}

async function createProcesses(t: CleanUp, farEnd: FarEnd, peers: readonly string[]): Promise<Process[]> {
  const folder = await temporaryFolder(t)
  const keyPath = join(folder, 'key.pem')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(keyPath, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  // The only way to make all clients trust the server.
  const trust = { NODE_EXTRA_CA_CERTS: farEnd.caPath }
  const event = JSON.stringify(createHttpEvent(tokenRequest('conn')))

  const texts = new Map(peers.map((name) => [name, textOf(name)]))
    .set(nothing, `import './processes/nothing.ts'`)
    .set(floor, `import './processes/floor.ts'`)
    .set(us, `import './processes/issue-token.ts'`)
  const environment = { ...trust, ...(await environmentOfTokenwell(t, farEnd.issuer)) }
  return Promise.all(
    [...texts].map(async ([name, text], index) => ({
      ...(await bundleText(text, join(folder, String(index)))),
      name,
      args: name === us ? [event] : [farEnd.issuer, keyPath],
      environment: name === us ? environment : trust,
    })),
  )
}

/** The bundle contains only this peer. */
function textOf(peer: string): string {
  return `import { setUp } from './${fileOf(peer)}'
    import { printToken } from './processes/peer.ts'
    await printToken(setUp)`
}

async function environmentOfTokenwell(t: CleanUp, issuer: string): Promise<Record<string, string>> {
  const {
    ssl: _ssl,
    keyStore: _trustStore,
    ...elements
  } = exampleElements(issuer, { builder: { signatureAlgorithm: 'ES256' } })
  return environmentOf(await createBareWorkspace(t, elements))
}
