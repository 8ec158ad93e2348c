import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { TestContext } from 'node:test'
import { logChannel } from '../../../lib/adapters/log/powertools.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'

/** The events that functions of this process log from now on, until the test ends. */
export function captureLog(t: TestContext): readonly LogEvent[] {
  const { events, end } = startCapture()
  t.after(end)
  return events
}

/** The events that functions of this process log during that run. */
export async function withCapturedLog(run: () => Promise<unknown>): Promise<readonly LogEvent[]> {
  const { events, end } = startCapture()
  try {
    await run()
    return events
  } finally {
    end()
  }
}

function startCapture() {
  const events: LogEvent[] = []
  const hear = (event: unknown) => void events.push(event as LogEvent)
  subscribe(logChannel, hear)
  return { events, end: () => void unsubscribe(logChannel, hear) }
}
