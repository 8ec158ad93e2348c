import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { listen } from '../../../infra/local/listen.ts'
import { setEnvironment } from '../process/this-process.ts'
import { type Moto, startMoto } from './moto.ts'
import { startIfThere } from './real-server.ts'

const longestClosingMilliseconds = 20_000

/**
 * A proxy in front of an AWS endpoint. It records requests, passes them on, and answers by itself where the test says
 * so.
 */
export interface AwsProxy {
  readonly endpoint: string
  /** All requests so far, including those that the proxy answered by itself. */
  readonly requests: readonly AwsRequest[]
  /** How many connections were made to it, and how many are still open. */
  connections(): { readonly made: number; readonly open: number }
  /** Waits until no connection is open: every request is over or was given up. */
  allClosed(): Promise<void>
  /** The number of requests by operation. */
  counts(): Readonly<Record<string, number>>
  /** Answers the next requests, one answer each. Later requests are passed on. */
  answerNext(...answers: readonly AwsAnswer[]): void
  /** Answers all requests from now on. Without an answer they are passed on. */
  answerAll(answer?: AwsAnswer | ((request: AwsRequest) => AwsAnswer | undefined)): void
  /** Refuses connections and ends the existing ones, until `listenAgain`. */
  refuse(): void
  listenAgain(): Promise<void>
}

export interface AwsRequest {
  /** The operation without the service: `GetSecretValue`. */
  readonly operation: string
  readonly body: Readonly<Record<string, unknown>>
  /** Milliseconds of a clock that never goes back. */
  readonly at: number
}

export type AwsAnswer =
  /** Passed on, but this much later. */
  | { readonly afterMilliseconds: number }
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  /** No answer, or only its beginning, until the client hangs up. */
  | 'held'
  | 'held in the middle'
  /** Sends a letter of its headers now and then, without end. */
  | 'dripping'
  /** The proxy resets the connection and does not answer. */
  | 'reset'
  /** Passed on, but the proxy resets the connection and sends no answer. */
  | 'lost'

/** The answer of an AWS service that refuses. */
export function awsError(status: number, name: string, message = 'some message'): AwsAnswer {
  return { status, body: { __type: name, message } }
}

export async function startAwsProxy(t: TestContext, target: string): Promise<AwsProxy> {
  const requests: AwsRequest[] = []
  const next: AwsAnswer[] = []
  let all: (request: AwsRequest) => AwsAnswer | undefined = () => undefined
  const server = createServer((request, response) => {
    // The date follows a clock that a test moved. With another clock than the SDK's, the SDK would repeat each failed
    // request.
    response.setHeader('date', new Date(Date.now()).toUTCString())
    void readRequest(request).then(async (body) => {
      const operation = String(request.headers['x-amz-target']).split('.')[1] ?? ''
      const asked = { operation, body: JSON.parse(body.toString()), at: performance.now() }
      requests.push(asked)
      const answer = next.shift() ?? all(asked)
      if (answer !== undefined && !isPassedOn(answer)) return send(answer, response)
      // The client may have gone. A slow service still does what it was asked for, if it is still there.
      if (typeof answer === 'object') await wait(answer.afterMilliseconds, undefined, { ref: false })
      const said = await passOn(request, body, target).catch(() => undefined)
      if (!said || answer === 'lost') response.destroy()
      else response.writeHead(said.status, { 'content-type': said.type }).end(said.text)
    })
  })
  const connections = { made: 0, open: 0 }
  server.on('connection', (socket) => {
    connections.made++
    connections.open++
    socket.on('close', () => connections.open--)
  })
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    connections: () => connections,
    async allClosed() {
      const giveUpAt = performance.now() + longestClosingMilliseconds
      while (connections.open > 0) {
        if (performance.now() > giveUpAt) throw new Error(`${connections.open} connections are still open`)
        await wait(10)
      }
    },
    counts() {
      const counts: Record<string, number> = {}
      for (const { operation } of requests) counts[operation] = (counts[operation] ?? 0) + 1
      return counts
    },
    answerNext(...answers) {
      next.push(...answers)
    },
    answerAll(answer) {
      all = typeof answer === 'function' ? answer : () => answer
    },
    refuse() {
      server.close()
      server.closeAllConnections()
    },
    async listenAgain() {
      await listen(server, port, '127.0.0.1')
    },
  }
}

async function readRequest(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function passOn(request: IncomingMessage, body: Buffer, target: string) {
  const kept = ['authorization', 'content-type', 'x-amz-target', 'x-amz-date', 'x-amz-content-sha256']
  const headers = kept.flatMap((name): [string, string][] => {
    const value = request.headers[name]
    return value === undefined ? [] : [[name, String(value)]]
  })
  const answer = await fetch(`${target}${request.url}`, { method: 'POST', headers, body: new Uint8Array(body) })
  const text = Buffer.from(await answer.arrayBuffer())
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', text }
}

type PassedOn = Extract<AwsAnswer, 'lost' | { readonly afterMilliseconds: number }>

function isPassedOn(answer: AwsAnswer): answer is PassedOn {
  return answer === 'lost' || (typeof answer === 'object' && 'afterMilliseconds' in answer)
}

function send(answer: Exclude<AwsAnswer, PassedOn>, response: ServerResponse): void {
  if (answer === 'held') return
  if (answer === 'reset') return void response.destroy()
  if (answer === 'dripping') return void drip(response)
  const type = { 'content-type': 'application/x-amz-json-1.1' }
  if (answer === 'held in the middle') return void response.writeHead(200, type).write('{')

  const { status, headers, body = {} } = answer
  response.writeHead(status, { ...type, ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body))
}

function drip({ socket }: ServerResponse): void {
  socket?.write('HTTP/1.1 200 OK\r\nx-letters: ')
  const timer = setInterval(() => socket?.write('x'), 20)
  socket?.once('close', () => clearInterval(timer))
}

/** Moto behind such a proxy. The SDK of this process finds AWS there. The test is skipped if moto is not installed. */
export async function startMotoBehindProxy(
  t: TestContext,
): Promise<{ readonly moto: Moto; readonly proxy: AwsProxy } | undefined> {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return undefined
  const proxy = await startAwsProxy(t, moto.endpoint)
  setEnvironment(t, { ...moto.environment, AWS_ENDPOINT_URL: proxy.endpoint })
  return { moto, proxy }
}
