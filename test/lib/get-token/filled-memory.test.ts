import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

/** The last output of the process. */
async function fill(what: 'tokens' | 'passwords' | 'exchanges', ...options: readonly string[]): Promise<unknown> {
  const script = join(import.meta.dirname, 'filled-memory.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [...options, script, what])
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

test('3,000 tokens of 60 KiB do not exhaust a heap of 256 MB: the least recently used go first', async () => {
  const filled = await fill('tokens', '--max-old-space-size=256')
  assert.deepEqual(filled, { issued: 3_000, last: 'memory', first: 'server' })
})

test('a password is nowhere in the heap once its token has come', async () => {
  assert.deepEqual(await fill('passwords'), { asked: 21, tokens: true, found: 0 })
})

test("a caller's token is nowhere in the heap once it is exchanged", async () => {
  assert.deepEqual(await fill('exchanges'), { asked: 21, tokens: true, found: 0 })
})
