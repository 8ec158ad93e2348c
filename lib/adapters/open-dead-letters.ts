import type { DeadLetters } from '../event/dead-letters.ts'
import { DeadLettersError } from '../event/dead-letters-error.ts'
import { loadedOnce } from './loaded-once.ts'

/** Where messages lie that nobody can make anything of. */
export type DeadLettersPlace =
  | { readonly kind: 'sqs'; readonly queueUrl: string }
  /** Nowhere: every one is refused, so that it stays in its queue. */
  | { readonly kind: 'none' }

export function openDeadLetters(place: DeadLettersPlace): DeadLetters {
  const open = loadedOnce(() => load(place))
  return { add: async (letter) => (await open()).add(letter) }
}

async function load(place: DeadLettersPlace): Promise<DeadLetters> {
  switch (place.kind) {
    case 'sqs':
      return (await import('./sqs-dead-letters.ts')).sqsDeadLetters(place)
    case 'none':
      return noDeadLetters
  }
}

const noDeadLetters: DeadLetters = {
  async add() {
    throw new DeadLettersError('No dead-letter queue is configured: the message stays in its queue.')
  },
}
