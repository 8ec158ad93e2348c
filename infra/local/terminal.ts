import { isTokenError } from '../../lib/get-token/token-error.ts'

/** Writes a line for the person at the terminal. */
export type Print = (line: string) => void

/** A sentence for the person at the terminal instead of a stack. */
export class LocalRunError extends Error {}

/** Whether an error says itself what to do. Any other error is a fault of ours and shows its stack. */
export function isForTerminal(error: unknown): error is Error {
  if (error instanceof LocalRunError || isTokenError(error)) return true
  return error instanceof Error && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')
}
