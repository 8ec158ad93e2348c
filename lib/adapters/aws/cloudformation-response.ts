import { setTimeout } from 'node:timers/promises'

const attempts = 5
const attemptMilliseconds = 10_000
const pauseMilliseconds = 2_000

/**
 * Sends the answer of a custom resource to the presigned URL in CloudFormation's event. Without it CloudFormation waits for an hour.
 * @throws {Error} if the URL took no attempt. Lambda then invokes the function again.
 */
export async function respondToCloudformation(url: string, answer: object): Promise<void> {
  // As bytes, because fetch sends a content type for a text, which the signature of the URL does not contain.
  const body = new TextEncoder().encode(JSON.stringify(answer))
  for (let attempt = 1; attempt <= attempts; attempt++) {
    if (await isTaken(url, body)) return
    await setTimeout(attempt * pauseMilliseconds)
  }
  throw new Error('CloudFormation did not take the answer of the custom resource.')
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
