import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Secret } from '../secret/secret.ts'

/**
 * One secret as its rotation sees it. A version is named by the token of the rotation that made it; labels say which
 * one is current, and which one is pending, as in AWS Secrets Manager. Every call throws `SecretError` where it can't be done.
 */
export interface RotatingSecret {
  labels(): Promise<VersionLabels>
  /** Undefined where that version has no text, or there is none. */
  read(version: string): Promise<Secret | undefined>
  /**
   * Writes a version of that name and makes it the pending one. The same text once more changes nothing.
   * @returns false where that version has another text, which stays
   */
  putPending(version: string, text: Secret): Promise<boolean>
  /**
   * Compare-and-set.
   * @param before the version that was current; undefined where none was
   * @returns whether it was that one, and the other is current now
   */
  makeCurrent(version: string, before: string | undefined): Promise<boolean>
  /** It is pending no more; nothing where it wasn't. */
  giveUp(version: string): Promise<void>
}

export interface VersionLabels {
  /** Absent where the secret has never had a text. */
  readonly current?: string
  /** May be the current one, too: a rotation that is over leaves its label there. */
  readonly pending?: string
}

/** Port: the secrets whose keys are rotated. */
export interface SecretRotation {
  /**
   * @param rotationToken on whose behalf versions are written, if the event that asks for the rotation has one
   * @throws {SecretError} when the secret is not one of this stage
   */
  open(name: string, rotationToken?: Secret): Promise<RotatingSecret>
}

/** A rotation, or a step of one, that can't be: nothing is changed by it, and nothing is left pending. Says what to do. */
export class RotationRefusedError extends TokenwellError {
  readonly code = 'rotation_refused'
}

/** A rotation that has come too late or was overtaken. Its version is pending no more, so that the next one starts afresh. */
export class RotationGivenUpError extends TokenwellError {
  readonly code = 'rotation_given_up'
}
