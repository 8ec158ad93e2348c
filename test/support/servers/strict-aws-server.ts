import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { listen } from '../../../infra/local/listen.ts'
import type { AwsAccount, RoleSession } from './aws-account.ts'
import { AwsRefusal } from './aws-refusal.ts'
import type { SignedAwsRequest } from './aws-signature.ts'

/*
 * An AWS service on this machine: it checks the signature of each request, records what it did, and fails where the test
 * says so. The service itself says how requests and answers are written.
 */

/** A fault in place of an answer: a refusal, a connection that the server resets, or no answer at all. */
export type AwsFault = AwsRefusal | 'reset' | 'held'

export interface AwsCall {
  readonly operation: string
  readonly request: SignedAwsRequest
}

export interface AwsServer {
  /** For `AWS_ENDPOINT_URL_<service>`. */
  readonly endpoint: string
  /** The operations that it carried out, in order. */
  readonly accepted: readonly string[]
  /** Operation, code and message of what it refused, in order. */
  readonly refusals: readonly string[]
  /** Fails the next requests of this operation, or all until `work`. */
  fail(operation: string, fault: AwsFault, times?: number): void
  /** Ends all faults. */
  work(): void
  /** Each answer takes this long. */
  answerAfter(milliseconds: number): void
  /** No connection is possible until `work`. */
  refuseConnections(): void
}

export interface AwsProtocol {
  readonly service: string
  /** @throws {AwsRefusal} if the request names no operation */
  operationOf(request: SignedAwsRequest): string
  /** @throws {AwsRefusal} */
  carryOut(call: AwsCall, session: RoleSession): Promise<string>
  writeResult(operation: string, result: string): string
  writeRefusal(refusal: AwsRefusal, requestId: string): string
  /** By default the status of the refusal. */
  statusOf?(refusal: AwsRefusal): number
  readonly contentType: string
}

export async function startStrictAwsServer(
  t: Pick<TestContext, 'after'>,
  account: AwsAccount,
  protocol: AwsProtocol,
): Promise<AwsServer> {
  const accepted: string[] = []
  const refusals: string[] = []
  const faults = new Map<string, { readonly fault: AwsFault; times: number }>()
  let latency = 0

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const received = await receive(request)
    let operation = '-'
    try {
      operation = protocol.operationOf(received)
      if (latency > 0) await pause(latency, undefined, { ref: false })
      const fault = nextFault(operation)
      if (fault === 'held') return
      if (fault === 'reset') return void response.destroy()
      if (fault) throw fault
      const session = account.authenticate(received, protocol.service)
      const result = await protocol.carryOut({ operation, request: received }, session)
      accepted.push(operation)
      write(response, 200, protocol.writeResult(operation, result))
    } catch (error) {
      const refusal = error instanceof AwsRefusal ? error : new AwsRefusal('InternalFailure', String(error), 500)
      refusals.push(`${operation} ${refusal.code}: ${refusal.message}`)
      write(response, protocol.statusOf?.(refusal) ?? refusal.status, protocol.writeRefusal(refusal, randomUUID()))
    }
  }

  function nextFault(operation: string): AwsFault | undefined {
    const found = faults.get(operation)
    if (!found || found.times <= 0) return undefined
    found.times--
    return found.fault
  }

  function write(response: ServerResponse, status: number, body: string): void {
    response.writeHead(status, { 'content-type': protocol.contentType, 'x-amzn-requestid': randomUUID() }).end(body)
  }

  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()))
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    endpoint: `http://127.0.0.1:${port}`,
    accepted,
    refusals,
    fail: (operation, fault, times = Number.POSITIVE_INFINITY) => void faults.set(operation, { fault, times }),
    work() {
      faults.clear()
      if (!server.listening) server.listen(port, '127.0.0.1')
    },
    answerAfter(milliseconds) {
      latency = milliseconds
    },
    refuseConnections() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function receive(request: IncomingMessage): Promise<SignedAwsRequest> {
  const { method = '', url = '', headers } = request
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return { method, url, headers, body: Buffer.concat(chunks) }
}
