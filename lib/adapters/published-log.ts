import { channel } from 'node:diagnostics_channel'
import type { Log } from '../log/log-event.ts'

/** The name of the diagnostics channel on which every event of the catalogue is published. */
export const logChannel = 'tokenwell:log'

/** The same log, which monitors in this process can listen to. Costs nothing while none does. */
export function publishedLog(log: Log): Log {
  const events = channel(logChannel)
  return (event) => {
    log(event)
    events.publish(event)
  }
}
