import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { functionNames } from '../../infra/bundle.ts'
import { withGrants } from '../../infra/grants-page.ts'
import { root } from '../support/process/local-run.ts'

const page = readFileSync(join(root, 'infra', 'README.md'), 'utf8')
const rows = page.split('\n').filter((line) => /^\| (not, by its own code: )?`[a-z0-9]+:/.test(line))

test('what infra/README.md says that each function may do is what the synthesized stack lets it do', () => {
  assert(withGrants(page) === page, 'infra/README.md is out of date: run npm run grants')
})

test('its tables have a column for each function, and rights that each has or has not', () => {
  const heads = page.split('\n').filter((line) => line.startsWith('| may | on |'))
  assert.equal(heads.length, 2)
  for (const head of heads) for (const name of functionNames) assert.ok(head.includes(`| \`${name}\` |`), name)
  assert.ok(rows.length > 20)
  for (const row of rows) assert.match(row, /^\| [^|]+ \| [^|]+ (\| [x ] ){7}\|$/)
})

test('a page without a place for the tables is refused', () => {
  assert.throws(() => withGrants('# The stack\n'), /npm run grants/)
})
