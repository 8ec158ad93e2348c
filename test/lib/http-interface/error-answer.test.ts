import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ElementStoreError } from '../../../lib/configuration/element-store.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { asDescription, errorAnswer } from '../../../lib/http-interface/error-answer.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'

test('a description is one line with only the characters of RFC 6749 section 5.2', () => {
  assert.equal(asDescription('say "a"\nor \\b, ü\t'), "say 'a'; or ?b, ??")
  const printable = Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index))
  const kept = printable.filter((each) => each !== '"' && each !== '\\').join('')
  assert.equal(asDescription(kept), kept)
})

test('Retry-After is the known time, or else 5 s', () => {
  assert.equal(errorAnswer(new UnreachableError('', { retryAfterSeconds: 17 })).retryAfterSeconds, 17)
  assert.equal(errorAnswer(new UnreachableError('')).retryAfterSeconds, 5)
  assert.equal(errorAnswer(new CoolingDownError('', 3)).retryAfterSeconds, 3)
})

test('only the operator learns whether a secret is missing or a key does not fit', () => {
  const [secret, key] = [
    new SecretError('secret_missing', 'no such secret'),
    new KeyStoreError('a/b', 'holds no key'),
  ].map(errorAnswer)
  assert.equal(secret?.code, 'secret_missing')
  assert.equal(secret.reason, 'no such secret')
  assert.equal(key?.code, 'key_store')
  assert.match(key.reason, /a\/b holds no key/)
  assert.equal(secret.description, key.description)
  assert.match(secret.description, /^The configuration of this connection has a mistake\./)
})

test('a passing failure of a store is a 503 and a refusal a 500, and neither tells the caller more', () => {
  const answers = [
    ...(['secret_throttled', 'secret_unreachable'] as const).map((code) => new SecretError(code, 'the-secret')),
    ...(['elements_throttled', 'elements_unreachable'] as const).map((code) => new ElementStoreError(code, 'the-path')),
  ].map(errorAnswer)
  for (const { status, error, retryAfterSeconds, description } of answers) {
    assert.deepEqual([status, error, retryAfterSeconds], [503, 'temporarily_unavailable', 5])
    assert.doesNotMatch(description, /the-/)
  }
  for (const code of ['secret_missing', 'secret_denied', 'secret_unreadable'] as const)
    assert.equal(errorAnswer(new SecretError(code, 'the-secret')).status, 500)
  assert.equal(errorAnswer(new ElementStoreError('elements_denied', 'the-path')).status, 500)
})

test('an unexpected error is logged with at most five stack frames, and a thrown value that is not an Error with its type', () => {
  const deep = (depth: number): never => {
    if (depth > 0) return deep(depth - 1)
    throw new RangeError('tr0ub4dor')
  }
  try {
    deep(20)
  } catch (error) {
    const { reason } = errorAnswer(error)
    assert.equal(reason.split(' at ').length, 6, reason)
    assert.match(reason, /^RangeError at /)
  }
  assert.equal(errorAnswer('tr0ub4dor').reason, 'string')
  assert.equal(errorAnswer(undefined).status, 500)
})
