import { fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Message, Mutant, MutationRun } from './stryker-process.ts'

export interface Outcome {
  readonly file: string
  readonly mutants: readonly Mutant[]
  /** How many mutants the time did not do for; undefined where it was over before they were counted. */
  readonly leftOut: number | undefined
}

/**
 * @param until where `performance.now()` is then
 * @throws {Error} where the tests fail without any mutant, or Stryker does
 */
export async function mutateFile(run: Omit<MutationRun, 'folder'>, cwd: string, until: number): Promise<Outcome> {
  const folder = `.stryker-tmp/${process.pid}`
  const mutants: Mutant[] = []
  let planned: number | undefined
  let failure: string | undefined
  // With this variable set, a test would not write TAP.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env
  const child = fork(join(import.meta.dirname, 'stryker-process.ts'), {
    cwd,
    detached: true,
    // Stripped and compiled once: a mutant is a switch in the same file.
    env: { ...environment, NODE_COMPILE_CACHE: join(cwd, folder, 'compiled') },
  })
  child.on('message', (message: Message) => {
    if ('planned' in message) planned = message.planned
    else if ('mutant' in message) mutants.push(message.mutant)
    else failure = message.failed
  })
  const exited = once(child, 'exit')
  // Detached, it would outlive this process.
  const stop = () => endGroup(child.pid)
  function clean(): void {
    stop()
    // Another run may have a folder of its own beside it.
    rmSync(join(cwd, folder), { recursive: true, force: true })
  }
  process.once('exit', clean)
  const timer = setTimeout(stop, Math.max(0, until - performance.now()))
  child.send({ ...run, folder })
  await exited
  clearTimeout(timer)
  process.off('exit', clean)
  clean()
  if (failure !== undefined) throw new Error(`${run.file}: ${failure}`)
  return { file: run.file, mutants, leftOut: planned === undefined ? undefined : planned - mutants.length }
}

/** Ends a process and all that it has started. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The processes have ended.
  }
}
