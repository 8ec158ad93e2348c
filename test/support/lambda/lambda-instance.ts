import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { listen } from '../../../infra/local/listen.ts'
import { aliasFor } from '../functions/alias.ts'
import { overhear, overhearAnswer } from '../output/canary.ts'
import { createRuntimeApi, type Outcome, traceId } from './lambda-runtime.ts'

/** One execution environment of Lambda: a process that runs a built function in AWS's own runtime client. */
export interface LambdaInstance {
  /** From the start of the process until it asks for an invocation. */
  readonly initMilliseconds: number
  /**
   * Runs one invocation. Between two invocations the process is frozen, as in Lambda.
   * @throws {FunctionError} where Lambda would report one
   */
  invoke(event: object, options?: InvokeOptions): Promise<Invocation>
  /** Everything that it wrote to standard output and standard error, in order. */
  output(): string
}

export interface InvokeOptions {
  /** The function's timeout. */
  readonly timeoutMilliseconds?: number
  /** If left out: for the functions of callers `aliasFor` the event, for all others none. */
  readonly alias?: string
}

export interface Invocation {
  readonly requestId: string
  readonly answer: unknown
  readonly milliseconds: number
}

/** What Lambda answers in place of the function: its init failed, it threw, or it was stopped. */
export class FunctionError extends Error {
  override readonly name = 'FunctionError'
  /** The name that the runtime client or Lambda gives it. */
  readonly type: string
  readonly output: string

  constructor(type: string, message: string, output: string) {
    super(message)
    this.type = type
    this.output = output
  }
}

const defaultTimeoutMilliseconds = 29_000
const functionsOfCallers: readonly string[] = ['issue-token', 'call-api']
const initLimitMilliseconds = 30_000
const runtimeClient = fileURLToPath(import.meta.resolve('aws-lambda-ric'))
const nativeClient = join(import.meta.dirname, 'lambda-native-client.cjs')

/**
 * Starts the `index.mjs` bundle in that folder, with these variables and those that Lambda sets.
 * @throws {FunctionError} if its init fails
 */
export async function startLambdaInstance(
  t: TestContext,
  bundle: string,
  environment: Readonly<Record<string, string>>,
): Promise<LambdaInstance> {
  const outputFolder = await mkdtemp(join(tmpdir(), 'tokenwell-lambda-'))
  const outputPath = join(outputFolder, 'output')
  const output = () => readFileSync(outputPath, 'utf8')

  const taskRoot = dirname(bundle)
  const functionName = basename(taskRoot)
  const api = createRuntimeApi(functionName)
  const port = await listen(api.server, 0, '127.0.0.1')
  t.after(() => {
    api.server.closeAllConnections()
    api.server.close()
  })

  // A file keeps what was written even if the process is stopped right after.
  const file = openSync(outputPath, 'a')
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...nodeOptions, '--require', nativeClient, runtimeClient], {
    cwd: taskRoot,
    env: { ...lambdaVariables(functionName, taskRoot, `127.0.0.1:${port}`), ...environment },
    stdio: ['ignore', file, file],
  })
  closeSync(file)
  t.after(async () => {
    child.kill('SIGKILL')
    overhear(output())
    await rm(outputFolder, { recursive: true, force: true })
  })
  child.once('exit', (code, signal) => api.fail('Runtime.ExitError', `the process has ended: ${signal ?? code}`))

  const untilIdle = async (milliseconds: number) => {
    const outcome = await within(api.outcome(), milliseconds)
    if (outcome.kind === 'failed') throw new FunctionError(outcome.type, outcome.message, output())
    return outcome
  }
  await untilIdle(initLimitMilliseconds)
  const initMilliseconds = performance.now() - startedAt
  child.kill('SIGSTOP')

  const defaultAlias = (event: object) => (functionsOfCallers.includes(functionName) ? aliasFor(event) : undefined)

  return {
    initMilliseconds,
    output,
    async invoke(event, { timeoutMilliseconds = defaultTimeoutMilliseconds, alias = defaultAlias(event) } = {}) {
      const requestId = randomUUID()
      const sentAt = performance.now()
      child.kill('SIGCONT')
      api.send({ requestId, event, ...(alias !== undefined && { alias }), deadline: Date.now() + timeoutMilliseconds })
      try {
        const { answer, answeredAt } = await untilIdle(timeoutMilliseconds)
        overhearAnswer(answer)
        return { requestId, answer, milliseconds: answeredAt - sentAt }
      } finally {
        child.kill('SIGSTOP')
      }
    },
  }
}

/**
 * Lambda turns these off up to Node.js 22. A bundle that works without them also works with them. An ES module must
 * therefore have the right file name.
 */
const nodeOptions = ['--no-experimental-require-module', '--no-experimental-detect-module']

/**
 * The variables of https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html. A Lambda machine has no
 * others.
 */
function lambdaVariables(functionName: string, taskRoot: string, runtimeApi: string): Record<string, string> {
  return {
    _HANDLER: 'index.handler',
    _X_AMZN_TRACE_ID: traceId,
    AWS_DEFAULT_REGION: 'eu-central-1',
    AWS_REGION: 'eu-central-1',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: functionName,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    // Lambda sets these two with the log format JSON, which the stack sets.
    AWS_LAMBDA_LOG_FORMAT: 'JSON',
    AWS_LAMBDA_LOG_LEVEL: 'INFO',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: '2026/11/24/[$LATEST]0123456789abcdef0123456789abcdef',
    AWS_LAMBDA_RUNTIME_API: runtimeApi,
    AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
    AWS_XRAY_DAEMON_ADDRESS: '127.0.0.1:2000',
    LAMBDA_TASK_ROOT: taskRoot,
    LAMBDA_RUNTIME_DIR: dirname(runtimeClient),
    LANG: 'en_US.UTF-8',
    PATH: '/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin',
    TZ: ':UTC',
  }
}

/** Gives Lambda's message if the function takes longer than this. */
async function within(outcome: Promise<Outcome>, milliseconds: number): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Outcome>((resolve) => {
    const message = `Task timed out after ${(milliseconds / 1000).toFixed(2)} seconds`
    timer = setTimeout(() => resolve({ kind: 'failed', type: 'Sandbox.Timedout', message }), milliseconds)
  })
  return Promise.race([outcome, late]).finally(() => clearTimeout(timer))
}
