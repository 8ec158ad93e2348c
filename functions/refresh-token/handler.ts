import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { describeFailure, UnexpectedError } from '../../lib/base/tokenwell-error.ts'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import type { DeadLetter, DeadLetters } from '../../lib/events/dead-letters.ts'
import { DeadLettersError, maximumDeliveries } from '../../lib/events/dead-letters.ts'
import type { Log } from '../../lib/log/log-event.ts'
import type { AnswerEvent } from '../../lib/renewal/answer-event.ts'
import type { IncomingEvent } from '../../lib/renewal/incoming-event.ts'
import { readIncomingEvent, UnreadableEventError } from '../../lib/renewal/incoming-event.ts'

/** Kept back from the function's time-out, so that what fails can be told. */
const reserveMilliseconds = 5_000

export interface HandlerParts {
  readonly answerEvent: AnswerEvent
  readonly deadLetters: DeadLetters
  readonly deployment: Deployment
  readonly now: () => number
  readonly log: Log
}

/**
 * Answers a batch of events from the queue, each by itself: what fails comes again, at its last delivery it goes to the dead
 * letters, as does at once what nobody can read.
 */
export function createHandler(parts: HandlerParts): (event: SQSEvent, context: Context) => Promise<SQSBatchResponse> {
  return async ({ Records: messages }, context) => {
    const deadline = parts.now() + context.getRemainingTimeInMillis() - reserveMilliseconds
    const isDone = await Promise.all(messages.map((message) => answer(parts, message, deadline)))
    const failed = messages.filter((_message, index) => !isDone[index])
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
  }
}

/** @returns whether the message is done with */
async function answer(parts: HandlerParts, message: SQSRecord, deadline: number): Promise<boolean> {
  const { answerEvent, deployment, now, log } = parts
  const startedAt = now()
  let event: IncomingEvent | undefined
  try {
    event = readIncomingEvent(message.body, deployment.stage)
    await answerEvent(event, deadline)
    log({ event: 'event_answered', type: event.type, milliseconds: now() - startedAt })
    return true
  } catch (error) {
    const attempt = Number(message.attributes.ApproximateReceiveCount)
    const isLast = error instanceof UnreadableEventError || attempt >= maximumDeliveries
    const failure = describeFailure(error)
    log({ event: 'event_failed', type: event?.type ?? 'unreadable', ...failure, attempt, isLast })
    return isLast && bury(parts, { body: message.body, ...failure })
  }
}

/** @returns whether it is there: else it has to stay in its queue */
async function bury({ deadLetters, log }: HandlerParts, letter: DeadLetter): Promise<boolean> {
  try {
    await deadLetters.add(letter)
    return true
  } catch (error) {
    if (!(error instanceof DeadLettersError)) throw new UnexpectedError(error)
    log({ event: 'dead_letter_not_taken', code: error.code, reason: error.message })
    return false
  }
}
