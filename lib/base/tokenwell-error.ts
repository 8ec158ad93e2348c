/** Of a fault of ours, whose message may hold anything, only its kind and where it happened. */
export function unexpectedReason(error: unknown): string {
  const frames = error instanceof Error ? framesOf(error) : []
  const kind = error instanceof Error ? error.name : typeof error
  return [kind, ...frames.slice(0, 5)].join(' ')
}

/** A stack begins with the message, of which a line may look like a frame. */
function framesOf({ message, stack = '' }: Error): string[] {
  const at = stack.indexOf(message)
  const afterMessage = at < 0 ? '' : stack.slice(at + message.length)
  return afterMessage.split('\n').flatMap((line) => (/^\s+at /.test(line) ? [line.trim()] : []))
}

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
