import { InvalidRequestException } from '@aws-sdk/client-secrets-manager'
import { SecretError } from '../secret/secret-error.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

/** What was to be done with a secret, as in "can't be read", and which rights that takes. */
export interface SecretUse {
  readonly done: string
  readonly action: string
}

/**
 * Of the SDK's error only its name or code is kept: an answer that it can't read it quotes.
 * @returns the error itself where no operator can mend it
 */
export function describeSecretFailure(name: string, error: unknown, { done, action }: SecretUse): unknown {
  // The one reason for which it is refused so.
  if (error instanceof InvalidRequestException)
    return new SecretError('secret_missing', `The secret ${name} is marked for deletion: restore it.`)

  const reason = reasonOfAwsFailure(error)
  switch (classifyAwsFailure(error)) {
    case 'missing':
      return new SecretError(
        'secret_missing',
        `The secret ${name} does not exist in this account and region, or has no current version: create it.`,
      )
    case 'denied':
      return new SecretError(
        'secret_denied',
        `The secret ${name} can't be ${done} (${reason}): allow ${action} on it, and kms:Decrypt on its ` +
          'key where that is your own; see that the credentials are good.',
      )
    case 'throttled':
      return new SecretError(
        'secret_throttled',
        `The secret ${name} can't be ${done} now (${reason}): Secrets Manager asks to wait. Try again later.`,
      )
    case 'unreachable':
      return new SecretError(
        'secret_unreachable',
        `The secret ${name} can't be ${done} now (${reason}): see that Secrets Manager can be reached, and try again later.`,
      )
    case undefined:
      return error
  }
}
