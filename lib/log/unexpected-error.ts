import { unexpectedReason } from './unexpected-reason.ts'

/**
 * Thrown in place of an error that isn't ours: Lambda writes whatever a function throws into its log, with message, stack and
 * all members. It has the kind of the original, and where that happened.
 */
export class UnexpectedError extends Error {
  override readonly name = 'UnexpectedError'
  readonly code = 'unexpected'

  constructor(original: unknown) {
    super(unexpectedReason(original))
  }
}
