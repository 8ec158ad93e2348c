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

/** Labels of a secret's versions, moved by whoever changes it. */
type VersionStage = 'AWSCURRENT' | 'AWSPREVIOUS'

/** Secrets in AWS Secrets Manager, as text or as the bytes of one, read anew each time. */
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
    // The stage is always named: moto, for one, by default answers with the version that was current before.
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

/** @throws {SecretError} when the bytes are no text: none of them is passed on, changed or not */
export function textOf(name: string, { SecretString: text, SecretBinary: bytes }: GetSecretValueResponse): string {
  const read = text ?? secretText(bytes ?? new Uint8Array())
  if (read === undefined)
    throw new SecretError('secret_unreadable', `The secret ${name} is not text. Store it as UTF-8.`)
  return read
}

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
