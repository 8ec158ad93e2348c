import { createLazy } from '../base/single-flight.ts'
import { type DeadLetterQueue, DeadLettersError } from '../events/dead-letters.ts'

/** Where messages lie that nobody can make anything of. */
export type DeadLettersPlace =
  | { readonly kind: 'sqs'; readonly queueUrl: string }
  /** Nowhere: every one is refused, so that it stays in its queue. */
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
