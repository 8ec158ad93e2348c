import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../support/process/local-run.ts'
import { MissingServerError } from '../support/servers/real-server.ts'
import { outputOf, runProgram } from './run-program.ts'

/** The CDK's own command line, as an operator uses it. */
export interface CdkCommand {
  /**
   * Runs the command that `infra/README.md` shows.
   * @param app the folder in place of `cdk.out`
   * @param more further words, such as those that keep it from asking
   * @returns what it printed. Rejects with that text if it fails.
   */
  run(name: 'bootstrap' | 'deploy' | 'destroy' | 'ls', app: string, more?: readonly string[]): Promise<string>
  /** @returns what would change */
  diff(app: string): Promise<string>
}

/** @throws {MissingServerError} if the CDK's command line is not installed */
export function findCdkCommand(environment: Readonly<Record<string, string>>): CdkCommand {
  const program = pathOfCdk()
  const settings = { ...environment, CI: 'true', CDK_DISABLE_VERSION_CHECK: '1' }
  const run = (words: readonly string[]) => runNode([program, ...words, '--no-notices'], settings)
  return {
    run: (name, app, more = []) => run([...wordsOf(name, app), ...more]),
    diff: (app) => run(['diff', '--app', app]),
  }
}

function wordsOf(name: string, app: string): string[] {
  const words = commandsOfPage('npx cdk ').find((each) => each.split(' ')[0] === name)
  if (words === undefined) throw new Error(`infra/README.md shows no command npx cdk ${name}`)
  return words.split(' ').map((word) => (word === 'cdk.out' ? app : word))
}

/** The lines of the page that begin so, without that beginning. */
function commandsOfPage(beginning: string): string[] {
  const lines = readFileSync(join(root, 'infra', 'README.md'), 'utf8').split('\n')
  return lines.filter((line) => line.startsWith(beginning)).map((line) => line.slice(beginning.length))
}

/**
 * Writes the template and the functions of the stage `prod` to a folder, with the command that `infra/README.md` shows.
 * @param elements the file in place of the folder `elements`
 * @param more further settings `<name>=<value>` that the page lists
 */
export async function synthesize(folder: string, elements: string, more: readonly string[]): Promise<void> {
  const words = commandsOfPage('npm run synth -- ')[0]?.split(' ') ?? []
  const own = words.map((word) => (word === 'elements=elements' ? `elements=${elements}` : word))
  // The CDK's own check of the template takes most of the time. test/infra/synth.test.ts includes it.
  const environment = { CDK_OUTDIR: folder, CDK_VALIDATION: 'false' }
  await runNode(['infra/synth.ts', ...own, ...more.flatMap((setting) => ['-c', setting])], environment)
}

function pathOfCdk(): string {
  try {
    return createRequire(import.meta.url).resolve('aws-cdk/bin/cdk')
  } catch {
    throw new MissingServerError("The CDK's command line is not installed. Install it with: npm ci")
  }
}

async function runNode(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<string> {
  const { HOME = '' } = process.env
  const ended = await runProgram(process.execPath, words, root, { HOME, ...environment })
  return outputOf(ended, words.join(' '))
}
