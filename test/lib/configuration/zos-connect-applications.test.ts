import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

/* The messages that lib/configuration/zos-connect-applications.md quotes. */

const read = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')
const page = await read('lib/configuration/zos-connect-applications.md')
const messages = (await read('lib/log/messages.md')).replaceAll(/\\([_\W])/g, '$1')
const rows = page
  .slice(page.indexOf('## Messages\n'), page.indexOf('## What only'))
  .split('\n')
  .filter((line) => /^\| (?:BAQR|CWWKS|no number)/.test(line))

for (const row of rows) {
  const [original = '', , own = ''] = row.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, ''))
  const quotes = [...own.matchAll(/`([^`]{20,})`/g)].map(([, quote = '']) => quote)
  test(`Tokenwell has a message for ${original}: ${own.slice(0, 60)}`, () => {
    assert.ok(quotes.length > 0 || /^(?:No place|404)/.test(own), row)
    for (const quote of quotes) assert.ok(messages.includes(quote), quote)
  })
}

test('the table has each message of the original that we know', () => {
  const numbers = [1001, 1002, 1003, 1004, 1005].map((number) => `BAQR${number}E`)
  const ofLiberty = '04W 05E 06E 07E 08E 09E 10E 15E 16E 17E 18E 19E 20E 21E 36E 37E 38E 39E 42E 45E 52E 55W 58W 61E'
  numbers.push(...ofLiberty.split(' ').map((number) => `CWWKS60${number}`))
  const missing = numbers.filter((number) => !rows.some((row) => row.split(' | ')[0]?.includes(number)))
  assert.deepEqual(missing, [])
  assert.equal(rows.filter((row) => row.startsWith('| no number')).length, 3)
})
