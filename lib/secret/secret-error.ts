/** A secret that an element names can't be had. Names the secret, never shows it. */
export class SecretError extends Error {
  readonly code = 'secret'
  override readonly name = 'SecretError'
}
