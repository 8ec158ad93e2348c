import { setTimeout } from 'node:timers/promises'

const attempts = 5
const attemptMilliseconds = 10_000
const pauseMilliseconds = 2_000

/** The host of CloudFormation's bucket for answers, such as `cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com`. */
const bucketHost =
  /^cloudformation-custom-resource-response-([a-z]+\d+)\.s3(?:(?:\.dualstack)?[.-]([a-z]+(?:-[a-z]+)+-\d+))?\.(.+)$/
/** The domains of S3 in all partitions of AWS. */
const serviceDomains = [
  'amazonaws.com',
  'amazonaws.com.cn',
  'amazonaws.eu',
  'c2s.ic.gov',
  'sc2s.sgov.gov',
  'cloud.adc-e.uk',
  'csp.hci.ic.gov',
]

/**
 * Sends answers of custom resources to CloudFormation.
 * @param emulatorOrigin the origin of an emulator of AWS, to which answers may go too
 */
export function cloudformationAnswers(emulatorOrigin: string | undefined) {
  /** Whether CloudFormation may have made the URL. The function's invoker names it, and could name any server. */
  function isOfCloudformation(text: string): boolean {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url?.username !== '' || url.password !== '') return false
    if (url.origin === emulatorOrigin) return true
    return url.protocol === 'https:' && url.port === '' && isBucketHost(url.hostname)
  }

  return {
    isOfCloudformation,

    /**
     * Sends the answer of a custom resource to the presigned URL in CloudFormation's event. Without it CloudFormation waits for an hour.
     * @throws {Error} if the URL is not CloudFormation's, or took no attempt. Lambda then invokes the function again.
     */
    async send(url: string, answer: object): Promise<void> {
      if (!isOfCloudformation(url))
        throw new Error('The answer was not sent, because CloudFormation does not wait for it at this URL.')
      // As bytes, because fetch sends a content type for a text, which the signature of the URL does not contain.
      const body = new TextEncoder().encode(JSON.stringify(answer))
      for (let attempt = 1; attempt <= attempts; attempt++) {
        if (await isTaken(url, body)) return
        await setTimeout(attempt * pauseMilliseconds)
      }
      throw new Error('CloudFormation did not take the answer of the custom resource.')
    },
  }
}

/** Bucket and region must agree: anybody may own a bucket with another name that begins like CloudFormation's. */
function isBucketHost(hostname: string): boolean {
  // Only us-east-1 may be left out.
  const [, bucketRegion, region = 'us-east-1', domain = ''] = bucketHost.exec(hostname) ?? []
  return region.replaceAll('-', '') === bucketRegion && serviceDomains.includes(domain)
}

/** The URL is a credential, so no error about it is thrown on. */
async function isTaken(url: string, body: Uint8Array<ArrayBuffer>): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(attemptMilliseconds)
    const { ok } = await fetch(url, { method: 'PUT', body, signal, redirect: 'error' })
    return ok
  } catch {
    return false
  }
}
