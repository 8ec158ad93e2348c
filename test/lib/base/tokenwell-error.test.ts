import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unexpectedReason } from '../../../lib/base/tokenwell-error.ts'

/* Any error that is not a TokenwellError is shown by name and place. A line of its message may look like a frame of its stack. */

const secret = 'tr0ub4dor-and-3-more-words'
const frame = `    at ${secret} (file:///${secret}.js:1:1)`

/** Messages with a secret on its own line, like a frame. */
const messages = [
  `no luck with ${secret}\n${frame}`,
  `no luck\n${frame}\n${frame}`,
  `\n${frame}`,
  `no luck\n${frame}\nand so on`,
  `no luck\n\n${frame}`,
]

/** Changes of an error's message after it was made. Its stack stays. */
const changes: Readonly<Record<string, (message: string) => string>> = {
  'is prefixed': (message) => `by way of somebody: ${message}`,
  'is put into other words': () => 'no luck at all',
  'is as long as its first line was': (message) => 'x'.repeat(message.indexOf('\n')),
  'is emptied': () => '',
  'is cut': (message) => message.slice(0, 4),
  'is one letter that the kind has, too': () => 'E',
  'is the name of the error': () => 'Error',
  'is a frame': () => frame.trim(),
}

test('of an error that is not a TokenwellError, the name and at most five frames are shown', () => {
  const makeDeepDown = (depth: number): Error =>
    depth === 0 ? new TypeError(`no luck with ${secret}\n${frame}`) : makeDeepDown(depth - 1)
  const [kind, ...frames] = unexpectedReason(makeDeepDown(20)).split(' at ')
  assert.equal(kind, 'TypeError')
  assert.equal(frames.length, 5)
  for (const each of frames) assert.match(each, /^makeDeepDown \(.*tokenwell-error\.test\.ts:\d+:\d+\)$/)
})

test('an error without a message, or with a code beside its name, has frames too', () => {
  const withCode = new TypeError('no luck')
  withCode.stack = withCode.stack?.replace('TypeError', 'TypeError [ERR_NO_LUCK]') ?? ''
  for (const error of [new RangeError(), withCode]) assert.match(unexpectedReason(error), /Error at .*\.test\.ts/)
})

test('an error without a stack is shown by its name, and any other value by its type', () => {
  const error = new Error(secret)
  delete error.stack
  assert.equal(unexpectedReason(error), 'Error')
  assert.deepEqual([secret, { stack: frame }, undefined, 7].map(unexpectedReason), [
    'string',
    'object',
    'undefined',
    'number',
  ])
})

for (const [what, change] of Object.entries(changes))
  test(`no line of the message is shown as a frame where it ${what} after the error was made`, () => {
    for (const message of messages) {
      const error = new Error(message)
      // V8 formats a stack when it is first read, with the message of that time.
      assert.ok(error.stack?.includes(secret))
      error.message = change(message)
      assert.ok(!unexpectedReason(error).includes(secret), `${message} -> ${error.message}`)
    }
  })

test('no frame is shown if only the first line of the message is left and not all lines of the stack are frames', () => {
  for (const message of [`no luck\n${frame}\nand so on`, `no luck\nand so on\n${frame}`, `no luck\n\n${frame}`]) {
    const error = new Error(message)
    assert.ok(error.stack?.includes(secret))
    error.message = 'no luck'
    assert.equal(unexpectedReason(error), 'Error', message)
  }
})
