export type ElementStoreErrorCode =
  /** No right to read them. */
  | 'elements_denied'
  /** The store asks to wait, for longer than there was time. */
  | 'elements_throttled'
  /** No answer from the store. */
  | 'elements_unreachable'

/** Elements can't be had, whatever stands in them. */
export class ElementStoreError extends Error {
  override readonly name = 'ElementStoreError'
  readonly code: ElementStoreErrorCode

  constructor(code: ElementStoreErrorCode, message: string) {
    super(message)
    this.code = code
  }

  /** It will pass without anybody mending anything. */
  get isPassing(): boolean {
    return this.code === 'elements_throttled' || this.code === 'elements_unreachable'
  }
}
