import { workerData } from 'node:worker_threads'
import { fileElements } from '../../lib/adapters/files/file-elements.ts'
import { validateElements, withUnreadable } from '../../lib/configuration/inspect-elements.ts'
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
    const deployment = { stage, publicUrl, isLambda: stage !== 'local' }
    return { findings: await withUnreadable(() => validateElements(fileElements(path), deployment)) }
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
