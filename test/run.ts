import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { relative } from 'node:path'
import type { TestsStream } from 'node:test'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

/*
 * Runs the whole suite, or the files whose path contains one of the arguments. With `--long` it runs the tests that
 * take minutes, one at a time. The last lines say how many tests passed, failed and were skipped, and why.
 */
const isLong = process.argv.includes('--long')
const filters = process.argv.slice(2).filter((argument) => argument !== '--long')
const files = globSync('test/**/*.test.ts')
  .filter((file) => file.endsWith('.long.test.ts') === isLong)
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort()

const counts = { passed: 0, failed: 0 }
const skipped: string[] = []

// One more than there are cores, because some tests mostly wait.
const concurrency = isLong ? 1 : availableParallelism() + 1
// A limit for each file. On a busy machine a server in Java alone takes minutes to start.
const tests: TestsStream = run({ files, concurrency, timeout: isLong ? 1_800_000 : 900_000 })
tests.on('test:pass', (test) => {
  if (test.details.type === 'suite') return
  if (test.skip === undefined) counts.passed++
  else skipped.push(`skipped: ${test.name}: ${test.skip || 'no reason given'}`)
})
tests.on('test:fail', (test) => {
  if (test.details.type !== 'suite') counts.failed++
  process.exitCode = 1
})
tests.on('end', () => {
  console.log(
    `\n${files.length} files on Node.js ${process.version}: ${files.map((file) => relative('test', file)).join(' ')}`,
  )
  for (const line of skipped) console.log(line)
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${skipped.length} skipped`)
})
tests.compose(spec).pipe(process.stdout)
if (files.length === 0) {
  console.error(`No test file matches ${filters.join(' ')}.`)
  process.exitCode = 1
}
