import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { ElementStoreError } from '../../configuration/element-store.ts'
import { type AwsTimeouts, awsClientSettings, withinTime } from './aws-client.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

export interface S3Place {
  readonly bucket: string
  readonly key: string
}

const timeouts: AwsTimeouts = { connect: 2_000, answer: 10_000, total: 60_000 }

/**
 * The text of an object: the elements of a deployment.
 * @throws {ElementStoreError}
 */
export async function readS3Object({ bucket, key }: S3Place): Promise<string> {
  const client = new S3Client(awsClientSettings(timeouts))
  try {
    return await withinTime(timeouts.total, async (options) => {
      const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), options)
      return (await body?.transformToString()) ?? ''
    })
  } catch (error) {
    throw describeS3Failure(error, `s3://${bucket}/${key}`)
  } finally {
    client.destroy()
  }
}

function describeS3Failure(error: unknown, place: string): unknown {
  const reason = reasonOfAwsFailure(error)
  switch (classifyAwsFailure(error)) {
    case 'denied':
      return new ElementStoreError(
        'elements_denied',
        `The elements of the deployment in ${place} cannot be read (${reason}). Allow s3:GetObject on it, and kms:Decrypt on the key of the bucket if it has its own.`,
      )
    case 'throttled':
    case 'unreachable':
      return new ElementStoreError(
        'elements_unreachable',
        `The elements of the deployment in ${place} cannot be read now (${reason}). Check that S3 can be reached, and deploy again.`,
      )
    case 'missing':
    case undefined:
      return reason === 'NoSuchKey' || reason === 'NoSuchBucket'
        ? new ElementStoreError(
            'elements_denied',
            `The elements of the deployment in ${place} do not exist (${reason}). Synthesize and deploy again: the CDK uploads them.`,
          )
        : error
  }
}
