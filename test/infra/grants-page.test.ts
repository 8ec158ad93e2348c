import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { functionNames } from '../../infra/bundle.ts'
import { withGrants } from '../../infra/grants-page.ts'
import { root } from '../support/process/local-run.ts'

const page = readFileSync(join(root, 'infra', 'README.md'), 'utf8')
const rows = page.split('\n').filter((line) => /^\| (denied to the function's own code: )?`[a-z0-9]+:/.test(line))

test('infra/README.md lists exactly what the synthesized stack lets each function do', () => {
  assert(withGrants(page) === page, 'infra/README.md is out of date: run npm run grants')
})

test('the tables of rights have a column for each function, and an x or a blank for each right', () => {
  const heads = page.split('\n').filter((line) => line.startsWith('| actions | resources |'))
  assert.equal(heads.length, 3)
  const [first = '', ofSigning = '', last = ''] = heads
  for (const head of [first, last]) for (const name of functionNames) assert.ok(head.includes(`| \`${name}\` |`), name)
  assert.ok(rows.length > 20)
  for (const row of rows) assert.match(row, /^\| [^|]+ \| [^|]+ (\| [x ] ){5,8}\|$/)
  for (const name of ['issue-token', 'call-api', 'warm-tokens', 'refresh-token'])
    assert.ok(ofSigning.includes(`| \`${name}\` |`), name)
})

test('a page without a place for the tables is an error', () => {
  assert.throws(
    () => withGrants('# The stack\n'),
    /^Error: The page has no place for its tables\. Add the lines <!-- npm run grants -->/,
  )
})
