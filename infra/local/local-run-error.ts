/** A sentence for the person at the terminal instead of a stack. */
export class LocalRunError extends Error {}
