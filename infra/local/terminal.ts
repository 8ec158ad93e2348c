import { isTokenError } from '../../lib/get-token/token-error.ts'

/** Writes a line to the terminal. */
export type Print = (line: string) => void

/** An error that is printed at the terminal as a sentence, without its stack. */
export class LocalRunError extends Error {}

/** Whether the message of an error says what to do. Any other error is a defect of Tokenwell, and its stack is printed. */
export function isForTerminal(error: unknown): error is Error {
  return error instanceof LocalRunError || isTokenError(error)
}
