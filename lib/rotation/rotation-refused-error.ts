/** A rotation, or a step of one, that can't be: nothing is changed by it, and nothing is left pending. Says what to do. */
export class RotationRefusedError extends Error {
  readonly code = 'rotation_refused'
  override readonly name = 'RotationRefusedError'
}
