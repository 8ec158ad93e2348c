import type { DeadLettersPlace } from '../../lib/adapters/open-dead-letters.ts'
import { type Environment, readEnvironment } from '../../lib/wiring/environment.ts'
import { readVariables, type Variables } from '../../lib/wiring/read-variables.ts'

export interface RefreshTokenEnvironment extends Environment {
  readonly deadLetters: DeadLettersPlace
}

/** @throws {Error} naming every variable that is missing or wrong */
export function readRefreshTokenEnvironment(variables: Variables): RefreshTokenEnvironment {
  return readVariables(variables, (read, all) => ({
    ...readEnvironment(read, all),
    deadLetters: read('TOKENWELL_DEAD_LETTERS', readDeadLetters, 'sqs:<URL of the queue>, or left out', nowhere),
  }))
}

const nowhere: DeadLettersPlace = { kind: 'none' }

function readDeadLetters(value: string): DeadLettersPlace | undefined {
  if (value === '') return nowhere
  const queueUrl = /^sqs:(https?:\/\/.+)$/.exec(value)?.[1]
  return queueUrl !== undefined && URL.canParse(queueUrl) ? { kind: 'sqs', queueUrl } : undefined
}
