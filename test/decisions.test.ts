import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

/* Checks the form of each page in lib/decisions, and the index. test/pages/links.test.ts checks the links. */

const folder = join(import.meta.dirname, '..', 'lib', 'decisions')
const index = readFileSync(join(folder, 'README.md'), 'utf8')
const pages = readdirSync(folder)
  .filter((name) => name !== 'README.md')
  .sort()
  .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }))

test('the numbers of decisions have no gaps, in names and titles', () => {
  assert.ok(pages.length > 20)
  for (const [position, { name, text }] of pages.entries()) {
    const number = position + 1
    assert.match(name, /^\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md$/)
    assert.equal(Number(name.slice(0, 4)), number, name)
    assert.match(text, new RegExp(`^# ${number}\\. \\S.*\\n`), name)
  }
})

test('each decision has a status, its context, the decision and its consequences, in that order', () => {
  const status = /^Status: (?:accepted|superseded by \[.+\]\(\d{4}-[a-z0-9-]+\.md\)), 20\d\d-\d\d-\d\d(?:; .+)?$/
  for (const { name, text } of pages) {
    const [, second = '', ...sections] = text.split('\n\n')
    assert.match(second, status, name)
    const headings = sections.filter((each) => each.startsWith('## '))
    const required = headings.filter((each) => ['## Context', '## Decision', '## Consequences'].includes(each))
    assert.deepEqual(required, ['## Context', '## Decision', '## Consequences'], name)
    assert.equal(sections[0], '## Context', name)
    assert.equal(headings.at(-1), '## Consequences', name)
    assert.doesNotMatch(`${text}## `, /^## .+\n+## /m, `${name}: no section is empty`)
  }
})

test('the index lists each decision with its number, title and one line, and nothing else', () => {
  const rows = [...index.matchAll(/^\| (\d+) \| \[(.+)\]\((\S+)\) \| (\S.*) \|$/gm)].map(([, number, title, name]) => ({
    name,
    heading: `# ${number}. ${title}`,
  }))
  const expected = pages.map(({ name, text }) => ({ name, heading: text.slice(0, text.indexOf('\n')) }))
  assert.deepEqual(rows, expected)
  const lines = index.trim().split('\n')
  assert.equal(lines.filter((line) => line.startsWith('|')).length, pages.length + 2)
})
