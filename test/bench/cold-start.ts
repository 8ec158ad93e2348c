import { join } from 'node:path'
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { copyToEmulator } from '../../infra/local/stores.ts'
import { exampleElements } from '../support/elements/elements.ts'
import {
  createBareWorkspace,
  createHttpEvent,
  environmentOf,
  tokenRequest,
} from '../support/functions/load-function.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { setEnvironment } from '../support/process/this-process.ts'
import { startMoto } from '../support/servers/moto.ts'
import { type Bundle, bundleText, runBundle } from './bundled-process.ts'
import type { FarEnd } from './far-end.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { measure, type Rounds, type Subject } from './rounds.ts'
import type { CleanUp } from './tokenwell.ts'

/* The time of a cold instance on AWS, emulated by moto, next to a process that only makes the same calls. */

const us = 'issue-token'
const aimedAt = 1.15
const [miss, missFloor] = ['issue-token, no token in the cache', 'floor: the same calls, and the token request']
const [hit, hitFloor] = ['issue-token, a token in the cache', 'floor: one secret, two items of DynamoDB']

export async function benchColdStart(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  await farEnd.set({})
  const { environment, tableName } = await createGround(t, farEnd)
  const folder = await temporaryFolder(t)
  const bundle = (name: string) => bundleText(`import './processes/${name}.ts'`, join(folder, name))
  const [issueToken, missBundle, hitBundle] = await Promise.all([
    bundle(us),
    bundle('aws-token-floor'),
    bundle('aws-hit-floor'),
  ])
  const run = async (of: Bundle, source: string, ...args: string[]) => {
    const printed = await runBundle(of, args, environment)
    if (!printed.startsWith(source) || printed.length < 900) throw new Error(`There came no token: ${printed}`)
  }

  await run(issueToken, 'server', eventOf('kept'))
  const kept = await namesOfKept(tableName)
  const subjects: (Subject & Pick<Bundle, 'kibibytes'>)[] = [
    {
      name: missFloor,
      ...missBundle,
      call: (index) => run(missBundle, 'server', farEnd.issuer, tableName, `floor/token#${index}`),
    },
    { name: miss, ...issueToken, call: (index) => run(issueToken, 'server', eventOf(`scope-${index}`)) },
    { name: hitFloor, ...hitBundle, call: () => run(hitBundle, 'cache', tableName, ...kept) },
    { name: hit, ...issueToken, call: () => run(issueToken, 'cache', eventOf('kept')) },
  ]
  const rounds: Rounds = { rounds: isShort ? 1 : 20, callsPerRound: 1, isEachTimed: true }
  const figures = await measure(subjects, rounds)

  const of = (name: string) => figures.get(name)?.median ?? Number.NaN
  return {
    title: 'First token of a cold instance, with AWS',
    name: 'cold-start',
    notes: [
      `The time is from the start of a Node.js process to its end, which comes with its first token (ES256). There are ${rounds.rounds} rounds.`,
      'moto emulates AWS. Its answers take longer than those of AWS.',
      "The floors are bundles of the same clients of AWS's SDK, built like the functions. KiB do not count modules that are loaded only when needed.",
    ],
    table: {
      columns: ['', 'median, ms', 'least, ms', 'times the floor', 'bundle, KiB'],
      rows: subjects.map(({ name, kibibytes }) => {
        const { median = Number.NaN, minimum = Number.NaN } = figures.get(name) ?? {}
        const floor = [hit, hitFloor].includes(name) ? hitFloor : missFloor
        return [name, shown(median / 1_000), shown(minimum / 1_000), (median / of(floor)).toFixed(2), shown(kibibytes)]
      }),
    },
    bars: [
      { what: `${miss}, as a multiple of its floor`, is: of(miss) / of(missFloor), atMost: aimedAt },
      { what: `${hit}, as a multiple of its floor`, is: of(hit) / of(hitFloor), atMost: aimedAt },
    ],
    picture: {
      unit: 'ms, median',
      lengths: subjects.map(({ name }) => ({
        label: name,
        value: of(name) / 1_000,
        isOurs: [hit, miss].includes(name),
      })),
    },
  }
}

function eventOf(scope: string): string {
  return JSON.stringify(createHttpEvent(tokenRequest('conn', `scope=${scope}`)))
}

/** Puts elements and secrets into AWS. Returns the environment variables of a function that uses them. */
async function createGround(t: CleanUp, farEnd: FarEnd) {
  const moto = await startMoto(t)
  setEnvironment(t, moto.environment)
  const changes = { builder: { signatureAlgorithm: 'ES256' } }
  const { ssl: _ssl, keyStore: _trustStore, ...elements } = exampleElements(farEnd.issuer, changes)
  const workspace = await createBareWorkspace(t, elements)
  const { environment, tableName } = await copyToEmulator(workspace)
  // The only way to make all clients trust the server.
  const trust = { NODE_EXTRA_CA_CERTS: farEnd.caPath }
  return { tableName, environment: { ...environmentOf(workspace), ...moto.environment, ...environment, ...trust } }
}

/** The records of the only token, and of its connection. */
async function namesOfKept(TableName: string): Promise<string[]> {
  const client = new DynamoDBClient()
  const { Items = [] } = await client.send(new ScanCommand({ TableName }))
  client.destroy()
  return Items.flatMap(({ name }) => name?.S ?? []).filter((name) => name.startsWith('conn/'))
}
