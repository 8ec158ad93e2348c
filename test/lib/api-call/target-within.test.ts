import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidRequestError } from '../../../lib/admission/invalid-request.ts'
import { targetWithin } from '../../../lib/api-call/target-within.ts'
import { base, paths, queries, refused } from '../../functions/call-api/hostile-targets.ts'

function isInvalid(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof InvalidRequestError, String(error))
    assert.match(error.message, message)
    return true
  }
}

test('a path is refused, or it is forwarded unchanged below the base path', () => {
  for (const [path, seen] of paths.filter(([path]) => path.startsWith('/'))) {
    const what = JSON.stringify(path)
    if (seen === refused) assert.throws(() => targetWithin(base, path, ''), isInvalid(/^path /), what)
    else assert.equal(targetWithin(base, path, ''), seen, what)
  }
})

test('a query is refused, or it is forwarded unchanged', () => {
  for (const [query, seen] of queries) {
    const what = JSON.stringify(query)
    if (seen === refused) assert.throws(() => targetWithin('', '/a', query), isInvalid(/^query /), what)
    else assert.equal(targetWithin('', '/a', query), `/a${seen}`, what)
  }
})

test('each control character is refused at any position, and so is U+FFFD, which replaces bytes that are not UTF-8', () => {
  const controls = [...Array(32).keys(), ...Array.from({ length: 33 }, (_, index) => 0x7f + index), 0xfffd]
  for (const code of controls)
    for (const path of [`/${String.fromCharCode(code)}a`, `/a${String.fromCharCode(code)}`])
      assert.throws(() => targetWithin('', path, ''), isInvalid(/control character/), JSON.stringify(path))
  assert.equal(targetWithin('', '/\u00a0~', ''), '/%C2%A0~')
})

test('a query contains no character below ! or above ~, and no #', () => {
  for (const query of ['a ', ' a', '\u0020', 'a\u007f', '#', 'a#', '#a', '\u0100'])
    assert.throws(() => targetWithin('', '/a', query), isInvalid(/encode it/), JSON.stringify(query))
  assert.equal(targetWithin('', '/a', '!"$~'), '/a?!"$~')
})

test('a query with an AWS signature is refused, whatever the order of its parameters, and a query with similar names is not', () => {
  for (const name of ['X-Amz-Signature', 'x-amz-security-token', 'X-AMZ-CREDENTIAL'])
    for (const query of [`${name}=`, `${name}=a`, `a=b&${name}=c`, `a&${name}=c&d`])
      assert.throws(() => targetWithin('', '/a', query), isInvalid(/contains an AWS signature/), query)
  for (const query of [
    'x-amz-signature',
    'ax-amz-signature=1',
    'x-amz-signature2=1',
    'a=x-amz-signature=1',
    'x-amz-date=1',
  ])
    assert.equal(targetWithin('', '/a', query), `/a?${query}`)
})

test('a refusal says what the caller can do', () => {
  assert.throws(
    () => targetWithin('', '/a%', ''),
    isInvalid(/^path contains %, .* after it is decoded\. Tokenwell does not forward such a path\.$/),
  )
  assert.throws(
    () => targetWithin('', '//a', ''),
    isInvalid(/two slashes\. A server could read the next part as a host\. Send one slash\.$/),
  )
  assert.throws(() => targetWithin('', '/a/..', ''), isInvalid(/below the connection's base path\.$/))
  assert.throws(() => targetWithin('', '/a', ' '), isInvalid(/not ASCII\. Percent-encode it\.$/))
  assert.throws(
    () => targetWithin('', '/a', 'x-amz-signature=a'),
    isInvalid(/to the API\. Sign the request in its headers instead\.$/),
  )
})
