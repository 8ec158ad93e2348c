import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Secret } from '../secret/secret.ts'

/**
 * Port: one secret as its rotation sees it. A version is named by the token of the rotation that made it. Labels say which
 * version is current and which is pending, as in AWS Secrets Manager. Every method throws `SecretError` when it fails.
 */
export interface RotatingSecret {
  labels(): Promise<VersionLabels>
  /** Reads the text of a version. Undefined where the version has no text or doesn't exist. */
  read(version: string): Promise<Secret | undefined>
  /**
   * Writes a version and makes it the pending one. Writing the same text again changes nothing.
   * @returns false where the version exists with another text, which stays
   */
  putPending(version: string, text: Secret): Promise<boolean>
  /**
   * Makes a version the current one, by compare-and-set.
   * @param before the version that must be current until then; undefined where none must be
   * @returns false where another version was current, and still is
   */
  makeCurrent(version: string, before: string | undefined): Promise<boolean>
  /** Takes the pending label from a version. Does nothing where the version isn't pending. */
  giveUp(version: string): Promise<void>
}

export interface VersionLabels {
  /** Absent until the secret has a text. */
  readonly current?: string
  /** May be the current version too: a finished rotation leaves this label on it. */
  readonly pending?: string
}

/** Port: the secrets whose keys are rotated. */
export interface SecretRotation {
  /**
   * @param rotationToken for whom versions are written, if the event that asks for the rotation has one
   * @throws {SecretError} when the secret is not one of this stage
   */
  open(name: string, rotationToken?: Secret): Promise<RotatingSecret>
}

/** A rotation, or one step, that is not possible. Nothing is changed or left pending, and the message says what to do. */
export class RotationRefusedError extends TokenwellError {
  readonly code = 'rotation_refused'
}

/** A rotation that came too late or was overtaken. Its version is no longer pending, so that the next rotation starts afresh. */
export class RotationGivenUpError extends TokenwellError {
  readonly code = 'rotation_given_up'
}
