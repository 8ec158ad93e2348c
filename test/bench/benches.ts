import type { FarEnd } from './far-end.ts'
import { benchGrowth } from './growth.ts'
import { benchHandlerHit, benchHit } from './hit.ts'
import { benchNewToken } from './new-token.ts'
import type { Report } from './report.ts'
import { benchThroughput } from './throughput.ts'
import type { CleanUp } from './tokenwell.ts'

/** @param isShort only to see that it works: its figures mean nothing */
export type Bench = (t: CleanUp, farEnd: FarEnd, isShort: boolean) => Promise<Report>

/** All that `npm run bench` measures, in this order. */
export const benches: Readonly<Record<string, Bench>> = {
  'new-token-rs256': (t, farEnd, isShort) => benchNewToken(t, farEnd, 'RS256', isShort),
  'new-token-es256': (t, farEnd, isShort) => benchNewToken(t, farEnd, 'ES256', isShort),
  hit: benchHit,
  'handler-hit': benchHandlerHit,
  growth: benchGrowth,
  throughput: benchThroughput,
}
