import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findFaketime } from './installed-servers.ts'
import { MissingServerError } from './real-server.ts'

/** A server in Java in a separate process, which ends with the test. */
export interface JavaProcess {
  stop(): Promise<void>
  /** Starts it again on the same port, with the data that it keeps on disk. */
  start(): Promise<void>
  /** Sets how far its clock is ahead of this machine's. A negative number means behind. */
  setClock(secondsAhead: number): Promise<void>
}

export interface JavaProgram {
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** The folder that keeps its clock. */
  readonly folder: string
  /** The server's clock, in milliseconds since the epoch. Rejects while the server does not answer. */
  readonly readClock: () => Promise<number>
}

/** Measured on a machine with two cores and a load of 15. An idle machine needs about 10 s. */
const startMilliseconds = 300_000
const clockMilliseconds = 60_000
/** More than an answer takes on a busy machine, and less than the steps in which tests set the clock. */
const clockToleranceMilliseconds = 20_000

/**
 * The shell ends the server, and then the rest of its process group, when the shell's own input ends. That also happens
 * if this process dies in any way.
 */
const untilInputEnds =
  'exec 3<&0; "$@" </dev/null 3<&- & server=$!; (read -r _ <&3; kill $server; sleep 60; kill -KILL -$$) & wait $server; kill -KILL -$$'

/** @throws {MissingServerError} if Java or faketime is missing */
export async function startJavaProcess(t: Pick<TestContext, 'after'>, program: JavaProgram): Promise<JavaProcess> {
  await demandJava()
  const clock = join(program.folder, 'clock')
  await writeFile(clock, '+0')
  const environment = { ...program.environment, ...fakeTime(clock) }
  let running: RunningServer | undefined
  const stop = async () => {
    await running?.stop()
    running = undefined
  }
  const start = async () => {
    running = runServer(program.command, environment)
    await running.isReady(program.readClock)
  }
  t.after(stop)
  await start()
  return {
    stop,
    start,
    async setClock(secondsAhead) {
      await writeFile(clock, `${secondsAhead < 0 ? '' : '+'}${secondsAhead}`)
      const isSet = async () =>
        Math.abs((await program.readClock()) - Date.now() - secondsAhead * 1000) < clockToleranceMilliseconds
      const giveUpAt = Date.now() + clockMilliseconds
      while (!(await isSet())) {
        if (Date.now() > giveUpAt) throw new Error(`the server's clock is not ${secondsAhead} s ahead`)
        await pause(250)
      }
    },
  }
}

async function demandJava(): Promise<void> {
  await promisify(execFile)('java', ['-version']).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    throw new MissingServerError('Java is not installed. Install it with: apt-get install default-jdk-headless')
  })
}

function fakeTime(clock: string): Record<string, string> {
  return {
    LD_PRELOAD: findFaketime(),
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    // Without it, each timed wait of a Java thread spins.
    FAKETIME_FORCE_MONOTONIC_FIX: '0',
  }
}

interface RunningServer {
  isReady(probe: () => Promise<unknown>): Promise<void>
  stop(): Promise<void>
}

function runServer(command: readonly string[], environment: Readonly<Record<string, string>>): RunningServer {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn('sh', ['-c', untilInputEnds, 'sh', ...command], {
    // A process group of its own, so that no child process is left behind.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH, HOME, ...environment },
  })
  const exited = once(child, 'exit')
  const said = listen(child)
  unref(child)
  return {
    async isReady(probe) {
      const giveUpAt = Date.now() + startMilliseconds
      for (;;) {
        if (await succeeds(probe)) return
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server has ended: ${said()}`)
        if (Date.now() > giveUpAt) throw new Error(`the server does not start: ${said()}`)
        await pause(250)
      }
    },
    async stop() {
      child.ref()
      child.stdin.end()
      await exited
    },
  }
}

/** Returns the last part of its output. An unread pipe would block the server. */
function listen(child: ChildProcessByStdio<Writable, Readable, Readable>): () => string {
  let said = ''
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000)
    })
  return () => said
}

/** Lets this process end even if no hook stops the server: the shell's input ends then. */
function unref(child: ChildProcessByStdio<Writable, Readable, Readable>): void {
  child.unref()
  for (const pipe of [child.stdin, child.stdout, child.stderr]) if (pipe instanceof Socket) pipe.unref()
}

function succeeds(probe: () => Promise<unknown>): Promise<boolean> {
  return probe().then(
    () => true,
    () => false,
  )
}
