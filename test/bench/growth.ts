import { memoryRecords } from '../../lib/adapters/process/memory-records.ts'
import { createApplication, createBackgroundApplication } from '../../lib/application/application.ts'
import { createConnectionCache } from '../../lib/configuration/connection-cache.ts'
import type { Kind } from '../../lib/configuration/element.ts'
import type { ElementStore } from '../../lib/configuration/element-store.ts'
import { readElement } from '../../lib/configuration/read-element.ts'
import { exampleElements, type RawElements } from '../support/elements/elements.ts'
import { someTokenMemory } from '../support/virtual/some-token.ts'
import { plainFingerprints } from '../support/virtual/virtual-ports.ts'
import type { FarEnd } from './far-end.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { figuresOf } from './rounds.ts'
import { type CleanUp, openTokenwell } from './tokenwell.ts'

/* The cost of each connection in an account with many: its first token, a hit, and keeping it warm. */

/** The costs with one number of connections, in microseconds. */
interface Costs {
  readonly firstUse: number
  readonly hit: number
  readonly warmRun: number
}

const hitsMeasured = 50_000
/** So short that a warm run renews all tokens. */
const tokenSeconds = 110

export async function benchGrowth(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  await farEnd.set({ expiresIn: tokenSeconds })
  const sizes = isShort ? [10, 20] : [10, 100, 1_000, 10_000]
  // This call is not counted, because it compiles and connects.
  await costsOf(t, farEnd, 100)
  const costs = new Map<number, Costs>()
  for (const size of sizes) costs.set(size, await costsOf(t, farEnd, size))

  const of = (size: number) => costs.get(size) ?? { firstUse: Number.NaN, hit: Number.NaN, warmRun: Number.NaN }
  const [few = 0] = sizes
  const bars = (['firstUse', 'hit', 'warmRun'] as const).map((what) => ({
    what: `${words[what]} at ${sizes.at(-1)} connections, as a multiple of one at ${few}`,
    is: of(sizes.at(-1) ?? 0)[what] / of(few)[what],
    atMost: 2,
  }))
  return {
    title: 'Growth',
    name: 'growth',
    notes: [
      'Each connection has its own elements, except the signing key and the authorization server. Elements and the shared cache are in memory.',
      'A first use reads the elements and requests a token: the table shows the median. A hit is one of 50,000, which use all connections in turn.',
      'A warm run renews the tokens of all connections, with at most 10 requests at a time. Its time is divided by the number of tokens.',
    ],
    table: {
      columns: ['connections', 'first use, ms', 'hit, us', 'warm run, ms a token'],
      rows: sizes.map((size) => {
        const { firstUse, hit, warmRun } = of(size)
        return [String(size), shown(firstUse / 1_000), shown(hit), shown(warmRun / 1_000)]
      }),
    },
    bars,
    picture: {
      unit: 'us',
      lengths: (['firstUse', 'warmRun', 'hit'] as const).flatMap((what) =>
        sizes.map((size) => ({ label: `${words[what]}, ${size} connections`, value: of(size)[what], isOurs: true })),
      ),
    },
  }
}

const words = { firstUse: 'A first use', hit: 'A hit', warmRun: 'A warm run, for each token' } as const

async function costsOf(t: CleanUp, farEnd: FarEnd, size: number): Promise<Costs> {
  const { getToken, warmTokens } = await createSet(t, farEnd, size)
  const deadline = () => Date.now() + 25_000
  const use = (index: number) => getToken({ caller: 'direct', connection: `conn-${index}`, further: {} }, deadline())

  const firstUses: number[] = []
  for (let index = 0; index < size; index++) firstUses.push(await microsecondsOf(() => use(index)))
  const hits = await microsecondsOf(async () => {
    for (let index = 0; index < hitsMeasured; index++) await use(index % size)
  })
  let due = 0
  const warmRun = await microsecondsOf(async () => {
    const run = await warmTokens(Date.now() + 600_000)
    if (run.renewed !== size) throw new Error(`Of ${size} tokens the run renews ${run.renewed}.`)
    due = run.due
  })
  return { firstUse: figuresOf(firstUses).median, hit: hits / hitsMeasured, warmRun: warmRun / due }
}

async function createSet(t: CleanUp, farEnd: FarEnd, size: number) {
  const opened = await openTokenwell(t, farEnd, 'ES256')
  const some = exampleElements(farEnd.issuer, { builder: { signatureAlgorithm: 'ES256' } })
  const elements = elementsInMemory(withConnections(some, size))
  const { deployment, now, pause, log } = opened
  const ports = {
    ...opened,
    elements,
    connections: createConnectionCache({ elements, deployment, fingerprints: plainFingerprints, now, pause, log }),
    store: memoryRecords({ maximumRecords: 4 * size }),
    memory: someTokenMemory(size),
    // A run spreads its first requests. The bench must not measure that pause.
    random: () => 0,
    log() {},
  }
  const { getToken } = createApplication(ports)
  const { warmTokens, answerEvent } = createBackgroundApplication(ports)
  return { getToken, warmTokens, answerEvent }
}

function withConnections(elements: RawElements, size: number): RawElements {
  const copies = (kind: string, of: (index: number) => Record<string, unknown>) =>
    Object.fromEntries(Array.from({ length: size }, (_, index) => [`${kind}-${index}`, of(index)]))
  const { theTokenConfig = {} } = elements['oAuthTokenConfig'] ?? {}
  const { theConfig = {} } = elements['oAuthConfig'] ?? {}
  return {
    ...elements,
    oAuthTokenConfig: copies('generator', () => theTokenConfig),
    oAuthConfig: copies('config', (index) => ({ ...theConfig, jwtAuthenticationTokenRef: `generator-${index}` })),
    endpointConnection: copies('conn', (index) => ({ authenticationConfigRef: `config-${index}` })),
  }
}

/** Elements come one by one, as from Parameter Store. */
function elementsInMemory(elements: RawElements): ElementStore {
  const text = (kind: Kind, id: string) => {
    const value = elements[kind]?.[id]
    return value && JSON.stringify(value)
  }
  return {
    get: async (references) =>
      references.map((reference) => {
        const found = text(reference.kind, reference.id)
        return found === undefined ? undefined : readElement(reference, JSON.parse(found))
      }),
    ids: async (kind) => Object.keys(elements[kind] ?? {}),
    findings: async () => [],
  }
}

async function microsecondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - startedAt) / 1_000
}
