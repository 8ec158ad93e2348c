import { inTime } from '../token/in-time.ts'
import { firstCallMilliseconds } from '../token-cache/budget.ts'
import type { Ports } from './parts.ts'

/**
 * Opens what every request needs: reads the keys of the cache and loads its client. For the init, in which Lambda gives a function
 * more of a processor than afterwards. What fails, or takes more than 2 s, is left to the first request.
 */
export async function openEarly({ sealing, store, pause }: Pick<Ports, 'sealing' | 'store' | 'pause'>): Promise<void> {
  const opened = Promise.allSettled([sealing.digest(''), store.read([])])
  await inTime<unknown>(opened, firstCallMilliseconds, pause, () => undefined)
}
