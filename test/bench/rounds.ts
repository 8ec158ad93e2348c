/** One of several things that are measured side by side. */
export interface Subject {
  readonly name: string
  /** @param index a different one each time */
  call(index: number): Promise<unknown>
}

/** The times of one subject, in microseconds for each call. */
export interface Figures {
  readonly median: number
  readonly minimum: number
  /** 99 of 100 calls are faster. */
  readonly high: number
}

export interface Rounds {
  readonly rounds: number
  readonly callsPerRound: number
  /** Times each call. Otherwise times the whole round, for calls so short that reading the clock would distort them. */
  readonly isEachTimed: boolean
}

/** Runs every subject in every round, in a new order each time, so that noise affects all of them alike. */
export async function measure(subjects: readonly Subject[], rounds: Rounds): Promise<ReadonlyMap<string, Figures>> {
  const times = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
  const run = rounds.isEachTimed ? timeCalls : timeRound
  // The first round is not counted, because it compiles, connects and fills caches.
  for (let round = -1; round < rounds.rounds; round++)
    for (const subject of shuffled(subjects)) {
      const taken = await run(subject, rounds.callsPerRound, (round + 1) * rounds.callsPerRound)
      if (round >= 0) times.get(subject.name)?.push(...taken)
    }
  return new Map([...times].map(([name, taken]) => [name, figuresOf(taken)]))
}

async function timeCalls({ call }: Subject, count: number, from: number): Promise<number[]> {
  const taken: number[] = []
  for (let index = from; index < from + count; index++) {
    const startedAt = process.hrtime.bigint()
    await call(index)
    taken.push(microsecondsSince(startedAt))
  }
  return taken
}

async function timeRound({ call }: Subject, count: number, from: number): Promise<number[]> {
  const startedAt = process.hrtime.bigint()
  for (let index = from; index < from + count; index++) await call(index)
  return [microsecondsSince(startedAt) / count]
}

function microsecondsSince(startedAt: bigint): number {
  return Number(process.hrtime.bigint() - startedAt) / 1_000
}

/** @param times at least one */
export function figuresOf(times: readonly number[]): Figures {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
  return { median: at(0.5), minimum: at(0), high: at(0.99) }
}

/** Each order is equally likely. */
export function shuffled<T>(values: readonly T[]): T[] {
  const drawn = values.map((value) => ({ value, order: Math.random() }))
  return drawn.toSorted((a, b) => a.order - b.order).map(({ value }) => value)
}
