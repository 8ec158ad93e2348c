import { Stryker } from '@stryker-mutator/core'

/*
 * A process that mutates one file and sends what became of each mutant to its parent, which ends it when the time is over.
 * Stryker loads this file besides as a plugin: the reporter.
 */

/** A request of the parent process: where to mutate, and which tests to run, in this order. */
export interface MutationRun {
  readonly file: string
  /** As Stryker reads it: a path, or `path:1-9` for lines. */
  readonly mutate: readonly string[]
  readonly tests: readonly string[]
  readonly folder: string
}

export interface Mutant {
  readonly status: string
  readonly mutatorName: string
  readonly replacement: string
  /** Counted from 1, columns from 0 or 1 as `location` of the report has them. */
  readonly location: {
    readonly start: { readonly line: number; readonly column: number }
    readonly end: { readonly line: number; readonly column: number }
  }
}

export type Message = { readonly planned: number } | { readonly mutant: Mutant } | { readonly failed: string }

const send = (message: Message) => void process.send?.(message)

class SendingReporter {
  onMutationTestingPlanReady({ mutantPlans }: { readonly mutantPlans: readonly unknown[] }): void {
    send({ planned: mutantPlans.length })
  }

  onMutantTested({ status, mutatorName, replacement, location }: Mutant): void {
    send({ mutant: { status, mutatorName, replacement, location } })
  }
}

export const strykerPlugins = [{ kind: 'Reporter', name: 'sending', injectableClass: SendingReporter }]

async function run({ mutate, tests, folder }: MutationRun): Promise<void> {
  const stryker = new Stryker({
    mutate: [...mutate],
    testRunner: 'tap',
    tap: { testFiles: [...tests], nodeArgs: ['--test-reporter=tap'] },
    plugins: ['@stryker-mutator/tap-runner', import.meta.filename],
    reporters: ['sending'],
    coverageAnalysis: 'perTest',
    concurrency: 1,
    checkers: [],
    // Stryker reads the file with an interface that TypeScript 7 doesn't have. Types are stripped, and not checked.
    tsconfigFile: 'none.json',
    disableTypeChecks: false,
    tempDirName: folder,
    cleanTempDir: 'always',
    // Far more than a test takes: a time-out on a busy machine must not count as a killed mutant.
    timeoutMS: 30_000,
    ignorePatterns: [
      '**',
      '!lib',
      '!lib/**',
      '!test',
      '!test/**',
      '!functions',
      '!functions/**',
      '!infra',
      '!infra/**',
      '!package.json',
    ],
    logLevel: 'error',
    allowConsoleColors: false,
  } as ConstructorParameters<typeof Stryker>[0])
  await stryker.runMutationTest()
}

if (import.meta.main)
  process.once('message', (message: MutationRun) => {
    run(message)
      .catch((error: unknown) => send({ failed: String(error) }))
      .finally(() => process.disconnect())
  })
