/** A rotation that has come too late or was overtaken. Its version is pending no more, so that the next one starts afresh. */
export class RotationGivenUpError extends Error {
  readonly code = 'rotation_given_up'
  override readonly name = 'RotationGivenUpError'
}
