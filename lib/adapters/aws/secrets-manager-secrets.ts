import {
  GetSecretValueCommand,
  type GetSecretValueResponse,
  InvalidRequestException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { type Deployment, isNameOfSecret, secretPrefix } from '../../configuration/deployment.ts'
import { Secret, secretText } from '../../secret/secret.ts'
import { SecretError, type SecretStore } from '../../secret/secret-store.ts'
import { type AwsTimeouts, awsClientSettings, defaultAwsTimeouts, withinTime } from './aws-client.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

export interface SecretsManagerSettings extends Pick<Deployment, 'stage'> {
  readonly timeouts?: AwsTimeouts
}

/** Labels of a secret's versions. A change of the secret moves them. */
type VersionStage = 'AWSCURRENT' | 'AWSPREVIOUS'

/** Secrets in AWS Secrets Manager, stored as text or as the bytes of a text, and read again for each call. */
export function secretsManagerSecrets({ stage, timeouts = defaultAwsTimeouts }: SecretsManagerSettings): SecretStore {
  const prefix = secretPrefix({ stage })
  let client: SecretsManagerClient | undefined
  const connect = () => {
    client ??= new SecretsManagerClient(awsClientSettings(timeouts))
    return client
  }

  async function read(name: string, stage: VersionStage): Promise<Secret> {
    if (!isNameOfSecret(name, prefix))
      throw new SecretError('secret_denied', `The name of a secret must begin with ${prefix}.`)
    // The version stage is always named, because moto by default answers with the previous version.
    const command = new GetSecretValueCommand({ SecretId: name, VersionStage: stage })
    const answer = await withinTime(timeouts.total, (options) => connect().send(command, options)).catch((error) => {
      throw describeSecretFailure(name, error, { done: 'read', action: 'secretsmanager:GetSecretValue' })
    })
    return new Secret(textOf(name, answer))
  }

  return {
    get: (name) => read(name, 'AWSCURRENT'),
    async getPrevious(name) {
      try {
        return await read(name, 'AWSPREVIOUS')
      } catch (error) {
        if (error instanceof SecretError && error.code === 'secret_missing') return undefined
        throw error
      }
    },
  }
}

/** @throws {SecretError} if the bytes are not text. They are never passed on, not even with replacement characters. */
export function textOf(name: string, { SecretString: text, SecretBinary: bytes }: GetSecretValueResponse): string {
  const read = text ?? secretText(bytes ?? new Uint8Array())
  if (read === undefined)
    throw new SecretError('secret_unreadable', `The secret ${name} is not text. Store it as UTF-8.`)
  return read
}

/** What was done with a secret, as in "cannot be read", and the rights that it needs. */
export interface SecretUse {
  readonly done: string
  readonly action: string
}

/**
 * Translates an error of the SDK. Only its name or code is kept, because the SDK quotes an answer that it cannot read.
 * @returns the error itself if no operator can fix it
 */
export function describeSecretFailure(name: string, error: unknown, { done, action }: SecretUse): unknown {
  // Secrets Manager uses this error only for this reason.
  if (error instanceof InvalidRequestException)
    return new SecretError('secret_missing', `The secret ${name} is marked for deletion. Restore it.`)

  const reason = reasonOfAwsFailure(error)
  switch (classifyAwsFailure(error)) {
    case 'missing':
      return new SecretError(
        'secret_missing',
        `The secret ${name} does not exist in this account and region, or has no current version. Create it.`,
      )
    case 'denied':
      return new SecretError(
        'secret_denied',
        `The secret ${name} cannot be ${done} (${reason}). Allow ${action} on it, and kms:Decrypt on its key if you use your own. Check that the credentials are valid.`,
      )
    case 'throttled':
      return new SecretError(
        'secret_throttled',
        `The secret ${name} cannot be ${done} now (${reason}): Secrets Manager throttles requests. Try again later.`,
      )
    case 'unreachable':
      return new SecretError(
        'secret_unreachable',
        `The secret ${name} cannot be ${done} now (${reason}). Check that Secrets Manager can be reached, and try again later.`,
      )
    case undefined:
      return error
  }
}
