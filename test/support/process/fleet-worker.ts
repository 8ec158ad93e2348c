import { createHash } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import type { Context } from 'aws-lambda'
import { logChannel } from '../../../lib/adapters/log/powertools.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { contextFor } from '../functions/alias.ts'
import type { FromWorker, ToWorker, WorkerAnswer } from './fleet-of-processes.ts'

/* One process of a fleet. It runs the built function, called as its parent says. */
const [bundle = ''] = process.argv.slice(2)
const { handler } = (await import(bundle)) as { handler: (event: object, context: Context) => Promise<unknown> }

const events: LogEvent[] = []
let stopsAfter: LogEvent['event'] | undefined
let diesAfter: ToWorker['diesAfter']
subscribe(logChannel, (message) => {
  const event = message as LogEvent
  events.push(event)
  if (
    event.event === diesAfter?.event &&
    events.filter((each) => each.event === event.event).length === diesAfter.times
  )
    process.kill(process.pid, 'SIGKILL')
  if (event.event !== stopsAfter) return
  stopsAfter = undefined
  // Freezes between this step and the next one, as Lambda freezes a function.
  process.kill(process.pid, 'SIGSTOP')
})

const send = (message: FromWorker) => process.send?.(message)

process.on('message', (message: ToWorker) => {
  stopsAfter = message.stopsAfter
  diesAfter = message.diesAfter
  const asked = Array.from({ length: message.callers }, () => message.event).flat()
  void Promise.all(asked.map((event) => call(event))).then((answers) => {
    send({ answers, events: events.splice(0) })
  })
})
send('ready')

async function call(event: object): Promise<WorkerAnswer> {
  const startedAt = performance.now()
  const context = { ...contextFor(event), getRemainingTimeInMillis: () => 25_000 }
  const answer = (await handler(event, context)) as Readonly<Record<string, unknown>>
  const { access_token: token, token_id: tokenId, source, error, error_description: description, status } = answer
  return {
    connection: 'connection' in event ? event.connection : undefined,
    milliseconds: performance.now() - startedAt,
    ...(token !== undefined && { tokenDigest: createHash('sha256').update(String(token)).digest('hex') }),
    ...{ tokenId, source, error, description, status },
  }
}
