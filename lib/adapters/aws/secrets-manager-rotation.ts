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
import {
  type RotatingSecret,
  RotationRefusedError,
  type SecretRotation,
  type VersionLabels,
} from '../../key-lifecycle/rotating-secret.ts'
import { Secret } from '../../secret/secret.ts'
import { SecretError } from '../../secret/secret-store.ts'
import { awsClientSettings, defaultAwsTimeouts, withinTime } from './aws-client.ts'
import { describeSecretFailure, type SecretsManagerSettings, textOf } from './secrets-manager-secrets.ts'

const rights = {
  done: 'rotated',
  action:
    'secretsmanager:DescribeSecret, secretsmanager:GetSecretValue, secretsmanager:PutSecretValue and secretsmanager:UpdateSecretVersionStage',
}

/** The operations of Secrets Manager for a function that rotates a secret. */
export function secretsManagerRotation(settings: SecretsManagerSettings): SecretRotation {
  const secretsManager = createRotationClient(settings)
  return {
    async open(name, rotationToken) {
      return rotatingSecret(secretsManager, name, rotationToken)
    },
  }
}

type RotationClient = ReturnType<typeof createRotationClient>

function createRotationClient({ stage, timeouts = defaultAwsTimeouts }: SecretsManagerSettings) {
  const prefix = secretPrefix({ stage })
  let client: SecretsManagerClient | undefined

  return {
    /**
     * Makes one call about one secret, within the time limit.
     * @param expected an error that counts as an answer. The call then returns undefined.
     * @throws {SecretError}
     */
    async attempt<Answer>(
      secretName: string,
      call: (client: SecretsManagerClient, options: { readonly abortSignal: AbortSignal }) => Promise<Answer>,
      expected?: ExpectedError,
    ): Promise<Answer | undefined> {
      if (!isNameOfSecret(secretName, prefix))
        throw new SecretError('secret_denied', `The name of a secret must begin with ${prefix}.`)
      client ??= new SecretsManagerClient(awsClientSettings(timeouts))
      const opened = client
      try {
        return await withinTime(timeouts.total, (options) => call(opened, options))
      } catch (error) {
        if (expected && error instanceof expected) return undefined
        throw describeSecretFailure(secretName, error, rights)
      }
    },
  }
}

type ExpectedError =
  | typeof InvalidParameterException
  | typeof ResourceExistsException
  | typeof ResourceNotFoundException

/** For a version id of the wrong length the answer of Secrets Manager does not help an operator, so this error replaces it. */
async function answerAbout<Answer>(version: string, answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof SecretError || (version.length >= 32 && version.length <= 64)) throw error
    throw new RotationRefusedError(
      `ClientRequestToken has ${version.length} characters. It must be the id of a version, which has 32 to 64 characters.`,
    )
  }
}

function rotatingSecret(
  secretsManager: RotationClient,
  SecretId: string,
  rotationToken: Secret | undefined,
): RotatingSecret {
  async function labels(): Promise<VersionLabels> {
    const command = new DescribeSecretCommand({ SecretId })
    const described = await secretsManager.attempt(SecretId, (client, options) => client.send(command, options))
    const { VersionIdsToStages = {} } = described ?? {}
    const labelled = (label: string) =>
      Object.entries(VersionIdsToStages).find(([, stages]) => stages.includes(label))?.[0]
    const [current, pending] = [labelled('AWSCURRENT'), labelled('AWSPENDING')]
    return { ...(current !== undefined && { current }), ...(pending !== undefined && { pending }) }
  }

  /** Returns false if the version `from` does not have the label. Secrets Manager rejects that, and only that is expected. */
  async function moveLabel(VersionStage: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    const command = new UpdateSecretVersionStageCommand({
      ...{ SecretId, VersionStage },
      ...(from !== undefined && { RemoveFromVersionId: from }),
      ...(to !== undefined && { MoveToVersionId: to }),
    })
    const moved = await secretsManager.attempt(
      SecretId,
      (client, options) => client.send(command, options),
      InvalidParameterException,
    )
    return moved !== undefined
  }

  return {
    labels,
    async read(version) {
      const command = new GetSecretValueCommand({ SecretId, VersionId: version })
      const text = secretsManager.attempt(
        SecretId,
        async (client, options) => new Secret(textOf(SecretId, await client.send(command, options))),
        ResourceNotFoundException,
      )
      return await answerAbout(version, text)
    },
    async putPending(version, text) {
      const command = new PutSecretValueCommand({
        ...{ SecretId, ClientRequestToken: version, SecretString: text.reveal(), VersionStages: ['AWSPENDING'] },
        ...(rotationToken && { RotationToken: rotationToken.reveal() }),
      })
      const put = secretsManager.attempt(
        SecretId,
        (client, options) => client.send(command, options),
        ResourceExistsException,
      )
      return (await answerAbout(version, put)) !== undefined
    },
    async makeCurrent(version, before) {
      if (await moveLabel('AWSCURRENT', before, version)) return true
      // The answer to a successful move may be lost. The SDK then retries it, and the retry is rejected.
      return (await labels()).current === version
    },
    async giveUp(version) {
      if ((await labels()).pending === version) await moveLabel('AWSPENDING', version, undefined)
    },
  }
}
