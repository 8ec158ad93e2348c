import { workerData } from 'node:worker_threads'
import type { ElementsToCheck, ThreadAnswer, ThreadData } from './check-elements.ts'

/* The thread of `check-elements.ts`. */
const { request, port, done }: ThreadData = workerData
void answer()

async function answer(): Promise<void> {
  port.postMessage(await check(request))
  Atomics.store(done, 0, 1)
  Atomics.notify(done, 0)
}

async function check({ path, stage, publicUrl }: ElementsToCheck): Promise<ThreadAnswer> {
  try {
    // Imported here, so that a failure of the import is an answer, too.
    const { fileElements } = await import('../../lib/adapters/files/file-elements.ts')
    const { validateElements, withUnreadable } = await import('../../lib/configuration/inspect-elements.ts')
    const deployment = { stage, publicUrl, isLambda: stage !== 'local' }
    return { findings: await withUnreadable(() => validateElements(fileElements(path), deployment)) }
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
