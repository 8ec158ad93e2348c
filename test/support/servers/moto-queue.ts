import type { TestContext } from 'node:test'
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge'
import { CreateQueueCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { Moto } from './moto.ts'

/** An SQS queue in moto. */
export interface Queue {
  readonly url: string
  readonly arn: string
  /** All messages in it, with their attributes by name. Moto delivers at once. */
  receive(): Promise<readonly ReceivedMessage[]>
  /** Creates a custom bus, with a rule of this pattern that sends its events to the queue. */
  createBus(name: string, pattern: object): Promise<void>
}

export interface ReceivedMessage {
  readonly body: string
  readonly attributes: Readonly<Record<string, string | undefined>>
}

export async function createQueue(t: TestContext, { endpoint }: Moto): Promise<Queue> {
  const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
  const settings = { endpoint, credentials, region: 'eu-central-1' }
  const [queues, events] = [new SQSClient(settings), new EventBridgeClient(settings)]
  t.after(() => {
    queues.destroy()
    events.destroy()
  })
  // A received message is not delivered again, no matter how long the test takes.
  const Attributes = { VisibilityTimeout: '43200' }
  const { QueueUrl: url = '' } = await queues.send(new CreateQueueCommand({ QueueName: 'the-queue', Attributes }))
  const asked = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] })
  const { Attributes: { QueueArn: arn = '' } = {} } = await queues.send(asked)
  return {
    url,
    arn,
    async receive() {
      const found: ReceivedMessage[] = []
      for (;;) {
        const ask = { QueueUrl: url, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'], WaitTimeSeconds: 0 }
        const { Messages: messages = [] } = await queues.send(new ReceiveMessageCommand(ask))
        if (messages.length === 0) return found
        for (const { Body: body = '', MessageAttributes: attributes = {} } of messages)
          found.push({
            body,
            attributes: Object.fromEntries(
              Object.entries(attributes).map(([name, { StringValue: value }]) => [name, value]),
            ),
          })
      }
    },
    async createBus(name, pattern) {
      await events.send(new CreateEventBusCommand({ Name: name }))
      const rule = { Name: 'the-rule', EventBusName: name, EventPattern: JSON.stringify(pattern) }
      await events.send(new PutRuleCommand(rule))
      const targets = [{ Id: 'the-target', Arn: arn }]
      await events.send(new PutTargetsCommand({ Rule: rule.Name, EventBusName: name, Targets: targets }))
    },
  }
}
