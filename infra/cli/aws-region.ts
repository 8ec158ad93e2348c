import type { Command } from 'commander'

/** The SDK's own error for a missing region does not say how to set it. */
export async function demandRegion(command: Command): Promise<void> {
  const { SSMClient } = await import('@aws-sdk/client-ssm')
  await new SSMClient({}).config
    .region()
    .catch(() =>
      command.error(
        'No AWS region is set. Set the environment variable AWS_REGION, for example to eu-central-1, or the region of your AWS profile.',
      ),
    )
}
