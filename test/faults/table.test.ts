import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { allServices, faults } from './faulty-aws.ts'
import { allRows, servicesOf, tableOf } from './rows.ts'

test('the table of faults in the README has exactly the rows that are run', (t) => {
  const table = tableOf(allRows)
  for (const line of table) t.diagnostic(line)
  const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
  const lines = readme.split('\n').filter((line) => line.startsWith('|'))
  assert.deepEqual(lines, table)
})

test('each service has a row for each fault, and all three together have one too', () => {
  const had = new Set(allRows.map((row) => `${servicesOf(row)} ${row.fault}`))
  const wanted = [...allServices, 'all three'].flatMap((of) => faults.map((fault) => `${of} ${fault}`))
  assert.deepEqual([...had].toSorted(), wanted.toSorted())
})

test('no caller gets an error while its instance can read a cache with a token', () => {
  for (const row of allRows) {
    assert.equal(row.warm, 'the same token', `${servicesOf(row)} ${row.fault}`)
    if (row.services.every((service) => service === 'Parameter Store')) assert.equal(row.cached, 'the same token')
  }
})

test('a table that fails costs token requests, but every caller gets a token', () => {
  const ofTable = allRows.filter(({ services }) => services.every((service) => service === 'DynamoDB'))
  for (const { nothing } of ofTable) assert.equal(nothing, 'a new token')
})
