import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { changedLines } from './mutation/changed-lines.ts'
import { mutateFile } from './mutation/mutate-file.ts'
import { mutatedFiles, testsOf, toBeRunAgain } from './mutation/mutated-files.ts'
import { explainedSurvivors, nameOf } from './mutation/survivors.ts'

/*
 * npm run mutate [-- <part of path> ...]: puts faults into what decides about tokens, one at a time, and says which no unit test
 * notices. With `--changed` those in lines that have changed since the first parent of HEAD, for at most three minutes.
 * Fails where one survives that test/mutation/survivors.md doesn't explain; with `--changed` not in the files that are to be run again.
 */
const root = join(import.meta.dirname, '..')
const isChanged = process.argv.includes('--changed')
const filters = process.argv.slice(2).filter((argument) => argument !== '--changed')
const until = isChanged ? performance.now() + 180_000 : 24 * 3_600_000
const explained = new Set(explainedSurvivors())
const unexplained: string[] = []
const leftOut: string[] = []
const failed: string[] = []
const files = mutatedFiles().filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
for (const [file, mutate] of whereToMutate()) {
  if (performance.now() >= until) leftOut.push(file)
  else await mutateOne(file, mutate).catch((error: Error) => failed.push(error.message))
}
for (const each of leftOut) console.log(`left out because the time was over: ${each}`)
// In CI the tests themselves have passed before: what fails now is the machine.
for (const each of failed) console.log(`NOT MUTATED: ${each}`)
if (failed.length > 0 && !isChanged) process.exitCode = 1
for (const each of unexplained) console.log(`SURVIVED: ${each}`)
if (unexplained.length > 0) {
  console.log(
    `${unexplained.length} survived: write the test that fails, or explain them in test/mutation/survivors.md`,
  )
  const isTold = (name: string) => isChanged && toBeRunAgain.some((file) => name.startsWith(`${file}: `))
  if (!unexplained.every(isTold)) process.exitCode = 1
}

/** The files, each with what Stryker is to mutate. */
function whereToMutate(): ReadonlyMap<string, readonly string[]> {
  if (!isChanged) return new Map(files.map((file) => [file, [file]]))
  const ranges = changedLines(files, root)
  if (!ranges) console.log('HEAD has no first parent here, as in a clone of depth 1: nothing is mutated.')
  else if (ranges.length === 0) console.log('No code that decides about tokens has changed: nothing is mutated.')
  const byFile = Map.groupBy(ranges ?? [], ({ file }) => file)
  return new Map([...byFile].map(([file, of]) => [file, of.map(({ from, to }) => `${file}:${from}-${to}`)]))
}

async function mutateOne(file: string, mutate: readonly string[]): Promise<void> {
  const startedAt = performance.now()
  const tests = testsOf(file)
  const text = readFileSync(join(root, file), 'utf8')
  const outcome = await mutateFile({ file, mutate, tests }, root, until)
  const survivors = outcome.mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
  for (const mutant of survivors) {
    const name = nameOf(file, text, mutant)
    if (!explained.has(name)) unexplained.push(mutant.status === 'NoCoverage' ? `${name} (no test runs it)` : name)
  }
  if (outcome.leftOut !== 0) leftOut.push(`${outcome.leftOut ?? 'all'} mutants of ${file}`)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  console.log(
    `${file}: ${outcome.mutants.length} mutants, ${survivors.length} survived, ${tests.length} test files, ${seconds} s`,
  )
}
