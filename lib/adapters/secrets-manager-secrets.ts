import {
  GetSecretValueCommand,
  type GetSecretValueResponse,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { isNameOfSecret } from '../configuration/name-of-secret.ts'
import { type Surroundings, secretPrefix } from '../configuration/surroundings.ts'
import { Secret } from '../secret/secret.ts'
import { SecretError } from '../secret/secret-error.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { secretText } from '../secret/secret-text.ts'
import { type AwsTimeouts, awsClientSettings, defaultAwsTimeouts, withinTime } from './aws-client-settings.ts'
import { describeSecretFailure } from './secrets-manager-failure.ts'

export interface SecretsManagerSettings extends Pick<Surroundings, 'stage'> {
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
    throw new SecretError('secret_unreadable', `The secret ${name} is no text: store it as UTF-8.`)
  return read
}
