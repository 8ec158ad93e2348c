import { lruTokenMemory } from '../../lib/adapters/lru-token-memory.ts'
import { Secret } from '../../lib/secret/secret.ts'
import { createGetToken } from '../../lib/token/get-token.ts'
import type { TokenRequest } from '../../lib/token/token-request.ts'

/*
 * npm run bench -- hostile: other clients before hostile servers; see hostile.ts.
 *
 * npm run bench: what a hit costs, beside a bare Map.get with a clock, at 10 to 10,000 tokens. Only ratios within one run
 * mean anything: machines are shared.
 */
if (process.argv[2] === 'hostile') {
  const { benchHostile } = await import('./hostile.ts')
  await benchHostile(process.argv[3])
  process.exit()
}

const rounds = 15
const callsPerRound = 20_000
const sizes = [10, 100, 1_000, 10_000]

const someRequest = (index: number): TokenRequest => ({ connection: 'conn', scope: [`scope-${index}`], further: {} })

async function createHit(size: number): Promise<(index: number) => Promise<unknown>> {
  let ids = 0
  const getToken = createGetToken({
    memory: lruTokenMemory({ maximumTokens: 10_000 }),
    memoryMaximumSeconds: 30,
    rejectToken: () => Promise.resolve('absent'),
    askFleet: async () => ({
      token: {
        id: `id-${ids++}`,
        connection: 'conn',
        accessToken: new Secret('some token'),
        issuedAt: Date.now(),
        refreshAt: Date.now() + 3_000_000,
        usableUntil: Date.now() + 3_600_000,
        expiresAt: Date.now() + 3_630_000,
      },
      source: 'server',
      isCurrent: true,
      isNew: true,
    }),
    now: Date.now,
    pause: () => Promise.resolve(),
    log() {},
  })
  const requests = Array.from({ length: size }, (_, index) => someRequest(index))
  for (const request of requests) await getToken(request, Date.now() + 25_000)
  return (index) => getToken(requests[index % size] ?? someRequest(0), Date.now() + 25_000)
}

function createFloor(size: number): (index: number) => Promise<unknown> {
  const tokens = new Map(
    Array.from({ length: size }, (_, index) => [`["conn",["scope-${index}"]]`, { until: Date.now() + 3_600_000 }]),
  )
  const keys = [...tokens.keys()]
  return async (index) => {
    const token = tokens.get(keys[index % size] ?? '')
    return token && Date.now() < token.until ? token : undefined
  }
}

async function microsecondsPerCall(call: (index: number) => Promise<unknown>): Promise<number> {
  const startedAt = process.hrtime.bigint()
  for (let index = 0; index < callsPerRound; index++) await call(index)
  return Number(process.hrtime.bigint() - startedAt) / 1000 / callsPerRound
}

const subjects = await Promise.all(
  sizes.flatMap((size) => [
    Promise.resolve({ name: `Map.get and clock, ${size} tokens`, size, call: createFloor(size) }),
    createHit(size).then((call) => ({ name: `get-token hit, ${size} tokens`, size, call })),
  ]),
)
const figures = new Map<string, number[]>()
for (let round = 0; round < rounds; round++)
  for (const { name, call } of subjects.toSorted(() => Math.random() - 0.5))
    figures.set(name, [...(figures.get(name) ?? []), await microsecondsPerCall(call)])

const median = (name: string) => figures.get(name)?.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN
const base = median(`get-token hit, ${sizes[0]} tokens`)
console.log(`Node.js ${process.version}, medians of ${rounds} rounds of ${callsPerRound} calls\n`)
for (const size of sizes) {
  const [floor, hit] = [median(`Map.get and clock, ${size} tokens`), median(`get-token hit, ${size} tokens`)]
  console.log(
    `${String(size).padStart(6)} tokens: Map.get and clock ${floor.toFixed(2)} us, hit ${hit.toFixed(2)} us: ` +
      `${(hit / floor).toFixed(1)} x the floor, ${(hit / base).toFixed(2)} x the hit at ${sizes[0]} tokens`,
  )
}
