import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

export interface SentInvocation {
  readonly requestId: string
  readonly event: object
  readonly alias?: string
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

export type Outcome =
  /** The process asks for the next invocation. `answer` is its answer to the previous one. */
  | { readonly kind: 'idle'; readonly answer: unknown; readonly answeredAt: number }
  | { readonly kind: 'failed'; readonly type: string; readonly message: string }

/** The Lambda service, as a runtime client sees it. */
export interface RuntimeApi {
  readonly server: Server
  /** The outcome of the init, and then of each invocation. */
  outcome(): Promise<Outcome>
  /** Answers the pending request for the next invocation. */
  send(invocation: SentInvocation): void
  fail(type: string, message: string): void
}

export const traceId = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'
const accepted = '{"status":"OK"}'

/** https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html */
export function createRuntimeApi(functionName: string): RuntimeApi {
  let next: ServerResponse | undefined
  let current: SentInvocation | undefined
  let answered: { readonly answer: unknown; readonly answeredAt: number } | undefined
  let failed: { readonly type: string; readonly message: string } | undefined
  let settled = Promise.withResolvers<Outcome>()

  const settle = (outcome: Outcome) => settled.resolve(outcome)
  const routes: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<void>>> = {
    'GET /invocation/next': async (_request, response) => {
      next = response
      if (failed) settle({ kind: 'failed', ...failed })
      else settle({ kind: 'idle', answer: undefined, answeredAt: 0, ...answered })
      current = answered = failed = undefined
    },
    'POST /invocation/:id/response': async (request, response) => {
      answered = { answer: JSON.parse(await readText(request)), answeredAt: performance.now() }
      response.writeHead(202).end(accepted)
    },
    'POST /invocation/:id/error': async (request, response) => {
      failed = readFailure(await readText(request))
      response.writeHead(202).end(accepted)
    },
    'POST /init/error': async (request, response) => {
      settle({ kind: 'failed', ...readFailure(await readText(request)) })
      response.writeHead(202).end(accepted)
    },
  }
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(`/${current?.requestId}/`, '/:id/').replace('/2018-06-01/runtime', '')
    const route = routes[`${request.method} ${path}`]
    if (route) void route(request, response)
    else response.writeHead(400).end(`{"errorMessage":"${path} is not a path of the Runtime API","errorType":"test"}`)
  })
  // The process may be frozen for any length of time.
  server.keepAliveTimeout = 0
  return {
    server,
    async outcome() {
      const outcome = await settled.promise
      settled = Promise.withResolvers()
      return outcome
    },
    send(invocation) {
      current = invocation
      next?.writeHead(200, {
        'content-type': 'application/json',
        'lambda-runtime-aws-request-id': invocation.requestId,
        'lambda-runtime-deadline-ms': String(invocation.deadline),
        'lambda-runtime-invoked-function-arn': `arn:aws:lambda:eu-central-1:123456789012:function:${[functionName, invocation.alias].filter(Boolean).join(':')}`,
        'lambda-runtime-trace-id': traceId,
      })
      next?.end(JSON.stringify(invocation.event))
    },
    fail: (type, message) => settle({ kind: 'failed', type, message }),
  }
}

function readFailure(text: string): { readonly type: string; readonly message: string } {
  const { errorType, errorMessage } = JSON.parse(text) as Readonly<Record<string, unknown>>
  return { type: String(errorType), message: String(errorMessage) }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
