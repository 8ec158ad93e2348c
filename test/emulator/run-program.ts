import { spawn } from 'node:child_process'

const programMilliseconds = 600_000

interface Ended {
  /** Null if the program ran out of time. */
  readonly status: number | null
  /** What it printed, on both of its streams. */
  readonly output: string
}

/** @param environment its variables, beside PATH */
export function runProgram(
  program: string,
  words: readonly string[],
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: programMilliseconds,
    })
    let output = ''
    for (const pipe of [child.stdout, child.stderr])
      pipe.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, output }))
  })
}

/** @throws if the program failed, with the end of what it printed */
export function outputOf({ status, output }: Ended, command: string): string {
  if (status !== 0) throw new Error(`${command}\nended with ${status}:\n${output.slice(-8_000)}`)
  return output
}
