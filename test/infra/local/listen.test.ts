import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { listen } from '../../../infra/local/listen.ts'
import { LocalRunError } from '../../../infra/local/terminal.ts'

function theServer(t: TestContext) {
  const server = createServer()
  t.after(() => server.close())
  return server
}

test('a port in use is replaced by the next free one if that is allowed, and is an error otherwise', async (t) => {
  const taken = await listen(theServer(t), 0, '127.0.0.1')
  const next = await listen(theServer(t), taken, '127.0.0.1', { mayMove: true })
  assert.ok(next > taken && next < taken + 20, `${next} after ${taken}`)
  await assert.rejects(listen(theServer(t), taken, '127.0.0.1'), (error) => {
    assert.ok(error instanceof LocalRunError)
    assert.match(error.message, new RegExp(`^Port ${taken} is in use\\. Free it and start again\\.$`))
    return true
  })
})

test('a host that is not on this machine is an error with a message', async (t) => {
  await assert.rejects(listen(theServer(t), 0, '192.0.2.1', { mayMove: true }), LocalRunError)
})
