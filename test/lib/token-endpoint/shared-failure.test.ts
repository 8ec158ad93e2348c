import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Fault,
  RefusedError,
  readFailure,
  TimedOutError,
  UnreachableError,
  UnreadableAnswerError,
  writeFailure,
} from '../../../lib/token-endpoint/token-endpoint-error.ts'

test('each failure is read back as it was written: class, words and fault', () => {
  for (const error of [
    new UnreachableError('connection refused'),
    new TimedOutError('"too late"\n'),
    new UnreadableAnswerError('no JSON'),
    ...(['caller', 'elements', 'client'] as const).map((fault) => new RefusedError('no', 'invalid_scope', fault)),
  ]) {
    const read = readFailure(writeFailure(error))
    assert.deepEqual(read, error)
    assert.equal(read?.constructor, error.constructor)
  }
})

test('details that concern only the requesting process are not shared', () => {
  const written = writeFailure(
    new RefusedError('no', 'invalid_client', 'client', { clockOffset: { milliseconds: 5_000, isGuess: false } }),
  )
  assert.deepEqual(Object.keys(JSON.parse(written)).sort(), ['code', 'error', 'fault', 'message'])
  const refused = new RefusedError('no', 'invalid_client', 'client', { client: { clientId: 'me', connection: 'conn' } })
  assert.doesNotMatch(writeFailure(refused), /"me"|conn/)
  const timedOut = readFailure(writeFailure(new TimedOutError('late', { isServers: true })))
  assert.ok(timedOut instanceof TimedOutError && !timedOut.isServers)
})

test('a failure that this version does not write is read as undefined', () => {
  for (const failure of [
    {},
    { code: 'unreachable' },
    { code: 'unreachable', message: 5 },
    { code: 'of another version', message: 'm' },
    { code: 'refused', message: 'm' },
    { code: 'refused', message: 'm', error: 'invalid_scope' },
    { code: 'refused', message: 'm', error: 'invalid_scope', fault: 'nobody' },
    { code: 'refused', message: 'm', error: 7, fault: 'client' },
    [],
    'text',
  ])
    assert.equal(readFailure(JSON.stringify(failure)), undefined, JSON.stringify(failure))
})

test("damaged text and text that isn't JSON are read as undefined", () => {
  for (const text of ['', 'x', '{', 'null', '5', '"unreachable"']) assert.equal(readFailure(text), undefined, text)
})

test('the operator learns which client was refused, and the caller of a refused scope does not', () => {
  const client = { clientId: 'theClient', connection: 'conn' }
  const refused = (fault: Fault) => new RefusedError('It was refused.', 'invalid_client', fault, { client })
  for (const fault of ['client', 'elements'] as const) {
    assert.equal(
      refused(fault).reason,
      'It was refused. Check the client theClient of the connection conn: the log event token_request_refused has what was sent.',
    )
    assert.doesNotMatch(refused(fault).publicMessage, /theClient/)
    assert.equal(
      readFailure(writeFailure(refused(fault)))?.reason,
      'It was refused. The log event token_request_refused has what was sent.',
    )
  }
  assert.equal(refused('caller').reason, 'It was refused.')
  assert.equal(refused('client').asCallers().publicMessage, 'It was refused.')
})
