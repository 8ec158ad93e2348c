import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { ElementStoreError } from '../../configuration/element-store.ts'
import { type AwsTimeouts, awsClientSettings, withinTime } from './aws-client.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

const timeouts: AwsTimeouts = { connect: 2_000, answer: 10_000, total: 30_000 }

/**
 * Invokes a function with an event and does not wait for its end. A function goes on with its own work in this way after the 15
 * minutes of a run.
 * @throws {ElementStoreError} if Lambda did not take the event
 */
export async function invokeLater(functionName: string, event: object): Promise<void> {
  const client = new LambdaClient(awsClientSettings(timeouts))
  const settings = { FunctionName: functionName, InvocationType: 'Event', Payload: JSON.stringify(event) } as const
  try {
    await withinTime(timeouts.total, (options) => client.send(new InvokeCommand(settings), options))
  } catch (error) {
    if (classifyAwsFailure(error) === undefined) throw error
    throw new ElementStoreError(
      'elements_unreachable',
      `The function ${functionName} cannot continue to write the elements (${reasonOfAwsFailure(error)}). Allow it lambda:InvokeFunction on itself, check that Lambda can be reached, and deploy again.`,
    )
  } finally {
    client.destroy()
  }
}
