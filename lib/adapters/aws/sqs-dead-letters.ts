import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type DeadLetterQueue, DeadLettersError } from '../../events/dead-letters.ts'
import { type AwsTimeouts, awsClientSettings, withinTime } from './aws-client.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

export interface SqsDeadLettersSettings {
  readonly queueUrl: string
  readonly timeouts?: AwsTimeouts
}

const defaultTimeouts: AwsTimeouts = { connect: 1_000, answer: 3_000, total: 5_000 }
const longestAttribute = 500

/** A dead-letter queue in Amazon SQS. A message has the original body, and the attributes `reason` and `code`. */
export function sqsDeadLetters({ queueUrl, timeouts = defaultTimeouts }: SqsDeadLettersSettings): DeadLetterQueue {
  let client: SQSClient | undefined
  const connect = () => {
    // Otherwise the SDK uses the URL's host, and prints a warning if it differs from the configured endpoint.
    client ??= new SQSClient({ ...awsClientSettings(timeouts), useQueueUrlAsEndpoint: false })
    return client
  }

  return {
    async add({ body, reason, code }) {
      const command = new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: body,
        MessageAttributes: { reason: textAttribute(reason), code: textAttribute(code) },
      })
      try {
        await withinTime(timeouts.total, (options) => connect().send(command, options))
      } catch (error) {
        throw describeSqsFailure(error, queueUrl)
      }
    },
  }
}

/** SQS rejects an empty text and control characters. Half a surrogate pair would be changed on the way, so whole characters are cut. */
function textAttribute(text: string) {
  const printable = text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return { DataType: 'String', StringValue: [...printable].slice(0, longestAttribute).join('') || 'none given' }
}

/** Error names that only SQS has. */
const missing = ['QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue', 'InvalidAddress']
const denied = [
  'InvalidSecurity',
  'KmsAccessDenied',
  'KmsDisabled',
  'KmsInvalidKeyUsage',
  'KmsInvalidState',
  'KmsNotFound',
  'KmsOptInRequired',
]
const throttled = ['KmsThrottled', 'OverLimit']

/** Only the name of the original is kept, because the original may quote the message. */
function describeSqsFailure(error: unknown, queueUrl: string): DeadLettersError {
  const reason = reasonOfAwsFailure(error)
  switch (classify(error, reason)) {
    case 'missing':
      return new DeadLettersError(
        `The dead-letter queue ${queueUrl} does not exist in this account and region. Create it.`,
      )
    case 'denied':
      return new DeadLettersError(
        `Access to the dead-letter queue ${queueUrl} was denied (${reason}). Allow sqs:SendMessage on it, and kms:GenerateDataKey and kms:Decrypt on its key if you use your own. Check that the credentials are valid.`,
      )
    case 'throttled':
      return new DeadLettersError(
        `SQS throttles requests to the dead-letter queue ${queueUrl} (${reason}). The message will be delivered again.`,
      )
    case 'unreachable':
      return new DeadLettersError(
        `The dead-letter queue ${queueUrl} did not answer in time or cannot be reached (${reason}). Check that SQS can be reached from this network.`,
      )
    case undefined:
      return new DeadLettersError(
        `The dead-letter queue ${queueUrl} rejected the message (${reason}). Read the message in the queue that it came from.`,
      )
  }
}

function classify(error: unknown, reason: string) {
  if (missing.includes(reason)) return 'missing'
  if (denied.includes(reason)) return 'denied'
  return throttled.includes(reason) ? 'throttled' : classifyAwsFailure(error)
}
