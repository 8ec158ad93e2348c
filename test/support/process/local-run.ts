import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..', '..')
const start = ['infra/toolchain/run.js', 'infra/local/start.ts']
const readyMilliseconds = 60_000

export interface EndedRun {
  readonly status: number
  readonly output: string
}

/** Runs what `npm start` runs, until it ends by itself. */
export function runToEnd(words: readonly string[], environment: Record<string, string>): Promise<EndedRun> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, ...environment }, timeout: readyMilliseconds }
    const child = execFile(process.execPath, [...start, ...words], options, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, output: stdout + stderr }),
    )
  })
}

export interface ServingRun {
  readonly output: string
  /** The curl command that it prints. */
  readonly curl: string
  readonly url: string
  /** Waits until its output matches, and returns the whole output. */
  until(pattern: RegExp): Promise<string>
  /** Ends it by SIGTERM and returns its status. */
  end(): Promise<number | null>
}

/** Runs what `npm start` runs, until it serves. It ends with the test. */
export function startServing(
  t: { after(end: () => void): void },
  environment: Record<string, string>,
): Promise<ServingRun> {
  const child: ChildProcess = spawn(process.execPath, start, { cwd: root, env: { ...process.env, ...environment } })
  t.after(() => child.kill('SIGTERM'))
  let output = ''
  const until = async (pattern: RegExp) => {
    const signal = AbortSignal.timeout(readyMilliseconds)
    while (!pattern.test(output)) await once(child.stdout ?? child, 'data', { signal })
    return output
  }
  const end = async () => {
    child.kill('SIGTERM')
    const [status] = await once(child, 'exit', { signal: AbortSignal.timeout(readyMilliseconds) })
    return status as number | null
  }
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk.toString()
      const curl = output.split('\n').find((line) => line.startsWith('curl '))
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(curl ?? '')?.[0]
      if (curl && url && output.endsWith('\n')) resolve({ output, curl, url, until, end })
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.on('exit', (status) => reject(new Error(`ended with ${status} before it served:\n${output}`)))
  })
}

/** Runs a command line in a shell. */
export function runShell(command: string, environment: Record<string, string> = {}): Promise<EndedRun> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, ...environment } }
    const child = execFile('/bin/sh', ['-c', command], options, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, output: stdout + stderr }),
    )
  })
}
