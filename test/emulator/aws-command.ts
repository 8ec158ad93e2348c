import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/process/local-run.ts'
import { MissingServerError } from '../support/servers/real-server.ts'
import { outputOf, runProgram } from './run-program.ts'

const commandNotFound = 127

/** The AWS CLI, as an operator uses it. */
export interface AwsCommand {
  /**
   * Runs lines of a shell in a folder, and stops at the first that fails.
   * @returns what they printed. Rejects with that text if one fails.
   */
  run(lines: string, folder: string): Promise<string>
}

/** @throws {MissingServerError} if the AWS CLI is not installed */
export async function findAwsCommand(environment: Readonly<Record<string, string>>): Promise<AwsCommand> {
  const version = await runShell('aws --version', root, environment)
  if (version.status === commandNotFound)
    throw new MissingServerError("The AWS CLI is not installed. Install it with: pip install 'awscli==1.46.3'")
  return {
    async run(lines, folder) {
      return outputOf(await runShell(lines, folder, environment), lines)
    },
  }
}

/** The `sh` blocks below a heading of a page in `infra`, without those below deeper headings. */
export function blocksOfPage(heading: string, name = 'README.md'): string[] {
  const page = readFileSync(join(root, 'infra', name), 'utf8')
  const [, section = ''] = page.split(new RegExp(`^#+ ${heading}\n`, 'm'))
  const [own = ''] = section.split(/^#+ /m)
  return [...own.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
}

function runShell(lines: string, folder: string, environment: Readonly<Record<string, string>>) {
  return runProgram('sh', ['-euc', lines], folder, { AWS_PAGER: '', ...environment })
}
