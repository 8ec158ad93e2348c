import { extname, join } from 'node:path'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { Finding } from '../../lib/configuration/finding.ts'

export interface ElementsToCheck {
  /** A folder with files `<kind>/<id>.json`, or a file `{ kind: { id: element } }`. */
  readonly path: string
  readonly stage: string
  readonly publicUrl: string
}

/** What the thread is started with. It sets the first number of `done` to 1 when its answer is in `port`. */
export interface ThreadData {
  readonly request: ElementsToCheck
  readonly port: MessagePort
  readonly done: Int32Array<SharedArrayBuffer>
}

export type ThreadAnswer = { readonly findings: readonly Finding[] } | { readonly failure: string }

type MessagePort = MessageChannel['port1']

/** TypeScript in the repository, and JavaScript in the npm package. */
const threadFile = join(import.meta.dirname, `check-elements-thread${extname(import.meta.filename)}`)
const patienceMilliseconds = 60_000

/**
 * All mistakes and warnings of a set of elements. Reading elements is asynchronous, but a construct is created synchronously. So a
 * thread reads them, and this thread waits.
 */
export function checkElements(request: ElementsToCheck): readonly Finding[] {
  const { port1, port2: port } = new MessageChannel()
  const done = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const workerData: ThreadData = { request, port, done }
  // The app's own loaders, such as ts-node, are not for this thread.
  const worker = new Worker(threadFile, { workerData, transferList: [port], execArgv: [] })
  worker.unref()
  Atomics.wait(done, 0, 0, patienceMilliseconds)
  const answer = receiveMessageOnPort(port1)?.message as ThreadAnswer | undefined
  port1.close()
  if (answer === undefined)
    throw new Error(`The elements in ${request.path} could not be checked within ${patienceMilliseconds / 1000} s.`)
  if ('failure' in answer) throw new Error(`The elements in ${request.path} could not be checked: ${answer.failure}`)
  return answer.findings
}
