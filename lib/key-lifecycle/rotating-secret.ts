import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Secret } from '../secret/secret.ts'

/**
 * Port: one secret during its rotation. The token of a rotation is the name of the version that it makes. Labels say which
 * version is current and which is pending, as in AWS Secrets Manager. Every method throws `SecretError` if it fails.
 */
export interface RotatingSecret {
  labels(): Promise<VersionLabels>
  /** Reads the text of a version. Undefined if the version has no text or doesn't exist. */
  read(version: string): Promise<Secret | undefined>
  /**
   * Writes a version and makes it the pending one. Writing the same text again changes nothing.
   * @returns false if the version exists with another text, which stays
   */
  putPending(version: string, text: Secret): Promise<boolean>
  /**
   * Makes a version the current one, by compare-and-set.
   * @param before the version that must be current until then; undefined if no version may be current
   * @returns false if another version was current, and still is
   */
  makeCurrent(version: string, before: string | undefined): Promise<boolean>
  /** Takes the pending label from a version. Does nothing if the version isn't pending. */
  giveUp(version: string): Promise<void>
}

export interface VersionLabels {
  /** Absent until the secret has a text. */
  readonly current?: string
  /** May also be the current version: a finished rotation leaves this label on it. */
  readonly pending?: string
}

/** Port: the secrets whose keys are rotated. */
export interface SecretRotation {
  /**
   * @param rotationToken identifies the caller who writes versions, if the event that asks for the rotation has it
   * @throws {SecretError} if the secret does not belong to this stage
   */
  open(name: string, rotationToken?: Secret): Promise<RotatingSecret>
}

/** A rotation, or one of its steps, is not possible. Nothing is changed or left pending. The message says what to do. */
export class RotationRefusedError extends TokenwellError {
  readonly code = 'rotation_refused'
}

/** A rotation came too late, or another change overtook it. Its version is no longer pending, so the next rotation starts anew. */
export class RotationGivenUpError extends TokenwellError {
  readonly code = 'rotation_given_up'
}
