import type { FarEnd } from './far-end.ts'
import type { Report } from './report.ts'
import type { CleanUp } from './tokenwell.ts'

/** @param isShort only checks that the bench works. Its figures mean nothing. */
export type Bench = (t: CleanUp, farEnd: FarEnd, isShort: boolean) => Promise<Report>

/** All benches of `npm run bench`, in this order. Each is loaded by the process that runs it. */
export const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  'new-token-rs256': async () => (await import('./new-token.ts')).newTokenBench('RS256'),
  'new-token-es256': async () => (await import('./new-token.ts')).newTokenBench('ES256'),
  'kms-key': async () => (await import('./kms-key.ts')).benchKmsKey,
  hit: async () => (await import('./hit.ts')).benchHit,
  'handler-hit': async () => (await import('./hit.ts')).benchHandlerHit,
  'first-token': async () => (await import('./first-token.ts')).benchFirstToken,
  'cold-start': async () => (await import('./cold-start.ts')).benchColdStart,
  growth: async () => (await import('./growth.ts')).benchGrowth,
  cost: async () => (await import('./cost.ts')).benchCost,
  throughput: async () => (await import('./throughput.ts')).benchThroughput,
  stampede: async () => (await import('./stampede.ts')).benchStampede,
  'fleet-stampede': async () => (await import('./fleet-stampede.ts')).benchFleetStampede,
  refresh: async () => (await import('./refresh.ts')).benchRefresh,
}
