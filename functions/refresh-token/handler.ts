import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { BackgroundApplication } from '../../lib/application/application.ts'
import { describeFailure, errorToThrow, UnexpectedError } from '../../lib/base/tokenwell-error.ts'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import type { DeadLetter, DeadLetterQueue } from '../../lib/events/dead-letters.ts'
import { DeadLettersError, maximumDeliveries } from '../../lib/events/dead-letters.ts'
import type { Log } from '../../lib/log/log-event.ts'
import type { IncomingEvent } from '../../lib/renewal/incoming-event.ts'
import { readIncomingEvent, UnreadableEventError } from '../../lib/renewal/incoming-event.ts'

/** Reserved before the function's time-out, so that failures can be logged and messages moved to the dead letters. */
const failureReserveMilliseconds = 5_000

interface HandlerDependencies {
  readonly application: Pick<BackgroundApplication, 'answerEvent' | 'signPublications'>
  readonly deadLetters: DeadLetterQueue
  readonly deployment: Deployment
  readonly now: () => number
  readonly log: Log
}

/** The event of SQS, or the empty event of the stack's deployment. */
type QueueOrDeployment = SQSEvent | Readonly<Record<string, never>>

/**
 * Answers a batch of events from the queue, each separately. A message that fails is delivered again. After its last delivery it
 * moves to the dead letters. A message that cannot be read moves there at once.
 *
 * If the deployment invokes it, it signs the published keys. If that fails, the deployment fails.
 */
export function createHandler({ application, deadLetters, deployment, now, log }: HandlerDependencies) {
  return async function answerBatch(event: QueueOrDeployment, context: Context): Promise<SQSBatchResponse> {
    const deadline = now() + context.getRemainingTimeInMillis() - failureReserveMilliseconds
    const { Records: messages } = event
    if (!messages) return await answerDeployment(deadline)
    const isDone = await Promise.all(messages.map((message) => answerMessage(message, deadline)))
    const failed = messages.filter((_message, index) => !isDone[index])
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
  }

  /** @throws the error that kept keys from being published, or `UnexpectedError` */
  async function answerDeployment(deadline: number): Promise<SQSBatchResponse> {
    try {
      await application.signPublications(deadline)
      return { batchItemFailures: [] }
    } catch (error) {
      throw errorToThrow(error)
    }
  }

  /** @returns whether the message can leave its queue */
  async function answerMessage(message: SQSRecord, deadline: number): Promise<boolean> {
    const startedAt = now()
    let event: IncomingEvent | undefined
    try {
      event = readIncomingEvent(message.body, deployment.stage)
      await application.answerEvent(event, deadline)
      log({ event: 'event_answered', type: event.type, milliseconds: now() - startedAt })
      return true
    } catch (error) {
      const attempt = Number(message.attributes.ApproximateReceiveCount)
      const isLast = error instanceof UnreadableEventError || attempt >= maximumDeliveries
      const failure = describeFailure(error)
      const connection = event && 'connection' in event ? event.connection : undefined
      const named = connection === undefined ? {} : { connection }
      log({ event: 'event_failed', type: event?.type ?? 'unreadable', ...named, ...failure, attempt, isLast })
      return isLast && (await bury({ body: message.body, ...failure }))
    }
  }

  /** @returns whether the dead letters accepted the message. Otherwise it must stay in its queue */
  async function bury(letter: DeadLetter): Promise<boolean> {
    try {
      await deadLetters.add(letter)
      return true
    } catch (error) {
      if (!(error instanceof DeadLettersError)) throw new UnexpectedError(error)
      log({ event: 'dead_letter_not_taken', code: error.code, reason: error.message })
      return false
    }
  }
}
