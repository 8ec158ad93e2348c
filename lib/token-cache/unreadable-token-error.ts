/** What stands in the shared cache as a token and answers for nothing: a miss. Its message completes "the token can't be read: …". */
export class UnreadableTokenError extends Error {
  override readonly name = 'UnreadableTokenError'
}
