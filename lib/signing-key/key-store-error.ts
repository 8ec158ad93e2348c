/** A secret was found, and the keys or certificates in it can't do what is configured. Says what was found, never shows it. */
export class KeyStoreError extends Error {
  readonly code = 'key_store'
  override readonly name = 'KeyStoreError'
  readonly location: string

  constructor(location: string, complaint: string) {
    super(`The secret ${location} ${complaint}`)
    this.location = location
  }
}
