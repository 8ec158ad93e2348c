import { createLazy } from '../base/single-flight.ts'
import { type DeadLetterQueue, DeadLettersError } from '../events/dead-letters.ts'

/** Where messages are kept that could not be answered. */
export type DeadLettersPlace =
  | { readonly kind: 'sqs'; readonly queueUrl: string }
  /** There is no such queue. Every message is refused, so it stays in its own queue. */
  | { readonly kind: 'none' }

export function openDeadLetters(place: DeadLettersPlace): DeadLetterQueue {
  const adapter = createLazy(() => importDeadLetters(place))
  return { add: async (letter) => await (await adapter.get()).add(letter) }
}

async function importDeadLetters(place: DeadLettersPlace): Promise<DeadLetterQueue> {
  switch (place.kind) {
    case 'sqs':
      return (await import('../adapters/aws/sqs-dead-letters.ts')).sqsDeadLetters(place)
    case 'none':
      return noDeadLetters
  }
}

const noDeadLetters: DeadLetterQueue = {
  async add() {
    throw new DeadLettersError(
      'No dead-letter queue is configured, so the message stays in its queue. Set TOKENWELL_DEAD_LETTERS.',
    )
  },
}
