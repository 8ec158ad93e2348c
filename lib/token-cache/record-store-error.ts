/** The store did not do it, or it isn't known whether it did. Never says what the record holds. */
export class RecordStoreError extends Error {
  readonly code = 'record_store'
  override readonly name = 'RecordStoreError'
  /** It asks to wait, and has done nothing: no outage. */
  readonly isThrottled: boolean

  constructor(message: string, { isThrottled = false } = {}) {
    super(message)
    this.isThrottled = isThrottled
  }
}
