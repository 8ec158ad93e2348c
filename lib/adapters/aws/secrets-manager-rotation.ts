import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  InvalidParameterException,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { isNameOfSecret, secretPrefix } from '../../configuration/deployment.ts'
import type { OpenRotatingSecret, RotatingSecret, VersionLabels } from '../../key-lifecycle/rotating-secret.ts'
import { Secret } from '../../secret/secret.ts'
import { SecretError } from '../../secret/secret-store.ts'
import { awsClientSettings, defaultAwsTimeouts, withinTime } from './aws-client.ts'
import { describeSecretFailure, type SecretsManagerSettings, textOf } from './secrets-manager-secrets.ts'

type Call<Answer> = (client: SecretsManagerClient, options: { readonly abortSignal: AbortSignal }) => Promise<Answer>
/** One call that ends in time, whose failure is described but for what `expected` makes an answer of. */
type Attempt = <Answer>(call: Call<Answer>, expected?: (error: unknown) => Answer | Promise<Answer>) => Promise<Answer>

const rights = {
  done: 'rotated',
  action: 'secretsmanager:DescribeSecret, GetSecretValue, PutSecretValue and UpdateSecretVersionStage',
}

/** What Secrets Manager offers the function that rotates a secret. */
export function secretsManagerRotation(settings: SecretsManagerSettings): OpenRotatingSecret {
  const { stage, timeouts = defaultAwsTimeouts } = settings
  const prefix = secretPrefix({ stage })
  let client: SecretsManagerClient | undefined

  return async (name, rotationToken) =>
    rotatingSecret(name, rotationToken, async (call, expected = rethrow) => {
      if (!isNameOfSecret(name, prefix))
        throw new SecretError('secret_denied', `The name of a secret must begin with ${prefix}.`)
      client ??= new SecretsManagerClient(awsClientSettings(timeouts))
      const current = client
      try {
        return await withinTime(timeouts.total, (options) => call(current, options)).catch(expected)
      } catch (error) {
        throw describeSecretFailure(name, error, rights)
      }
    })
}

function rotatingSecret(SecretId: string, rotationToken: Secret | undefined, attempt: Attempt): RotatingSecret {
  async function labels(): Promise<VersionLabels> {
    const { VersionIdsToStages = {} } = await attempt((client, options) =>
      client.send(new DescribeSecretCommand({ SecretId }), options),
    )
    const labelled = (label: string) =>
      Object.entries(VersionIdsToStages).find(([, stages]) => stages.includes(label))?.[0]
    const [current, pending] = [labelled('AWSCURRENT'), labelled('AWSPENDING')]
    return { ...(current !== undefined && { current }), ...(pending !== undefined && { pending }) }
  }

  /** Secrets Manager refuses to take a label from a version that hasn't got it: that alone is expected. */
  async function moveLabel(VersionStage: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    const command = new UpdateSecretVersionStageCommand({
      ...{ SecretId, VersionStage },
      ...(from !== undefined && { RemoveFromVersionId: from }),
      ...(to !== undefined && { MoveToVersionId: to }),
    })
    return attempt(
      (client, options) => client.send(command, options).then(() => true),
      falseIf(InvalidParameterException),
    )
  }

  return {
    labels,
    read(version) {
      const command = new GetSecretValueCommand({ SecretId, VersionId: version })
      return attempt<Secret | undefined>(
        async (client, options) => new Secret(textOf(SecretId, await client.send(command, options))),
        undefinedIfMissing,
      )
    },
    putPending(version, text) {
      const command = new PutSecretValueCommand({
        ...{ SecretId, ClientRequestToken: version, SecretString: text.reveal(), VersionStages: ['AWSPENDING'] },
        ...(rotationToken && { RotationToken: rotationToken.reveal() }),
      })
      return attempt(
        (client, options) => client.send(command, options).then(() => true),
        falseIf(ResourceExistsException),
      )
    },
    async makeCurrent(version, before) {
      if (await moveLabel('AWSCURRENT', before, version)) return true
      // Of a move that was done the answer may have been lost, and the SDK have asked for it again.
      return (await labels()).current === version
    },
    async giveUp(version) {
      if ((await labels()).pending === version) await moveLabel('AWSPENDING', version, undefined)
    },
  }
}

function rethrow(error: unknown): never {
  throw error
}

function falseIf(expected: typeof InvalidParameterException | typeof ResourceExistsException) {
  return (error: unknown): false => {
    if (error instanceof expected) return false
    throw error
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (!(error instanceof ResourceNotFoundException)) throw error
}
