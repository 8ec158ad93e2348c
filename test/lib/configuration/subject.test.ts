import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSubject, readSubjectSegment, subjectSegment } from '../../../lib/configuration/subject.ts'

const encoded = (text: string | Buffer) => `~${Buffer.from(text).toString('base64url')}`

test('a subject of letters, digits, @ . _ and - is its own segment, and every other one is ~ and base64url', () => {
  for (const plain of ['alice', 'Alice@example.com', '007', 'a-b_c', '...', 'a.', '-'])
    assert.equal(subjectSegment(plain), plain)
  for (const other of ['.', '..', '~YQ', 'a b', 'a/b', 'a*', '?', 'a%62', 'a+b', 'Zoë', 'CN=x,O=y', '\ufeffa', '😀'])
    assert.equal(subjectSegment(other), encoded(other))
  for (const each of ['alice', '..', '~YQ', 'Zoë', '\ufeffa', 'x'.repeat(256)])
    assert.equal(readSubjectSegment(subjectSegment(each)), each)
})

test('each subject has one spelling: every other one is refused', () => {
  const others = {
    'a plain subject in base64url': encoded('alice'),
    'nothing in base64url': '~',
    'base64 with padding': `~${Buffer.from('a/').toString('base64')}`,
    'base64 in place of base64url': '~w78+',
    'bits that are not zero at the end': '~YS9',
    'one letter too much': `${encoded('a/b')}A`,
    'bytes that are not UTF-8': encoded(Buffer.from([0xff, 0x2f])),
    'a surrogate': encoded(Buffer.from([0xed, 0xa0, 0x80])),
    'more than the shortest UTF-8': encoded(Buffer.from([0xc0, 0xaf])),
    'a slash': 'a/b',
    'a wildcard': 'a*',
    'another wildcard': '?',
    'a blank': 'a b',
    'a percent sign': 'a%2Fb',
    'a letter that is not ASCII': 'Zoë',
    dots: '..',
    nothing: '',
  }
  for (const [what, segment] of Object.entries(others)) assert.equal(readSubjectSegment(segment), undefined, what)
})

test('a subject has no control character, no line break, and at most 256 characters', () => {
  const refused = ['', 'a\nb', 'a\0', '\u0085', '\u2028', '\u2029', '\ufffd', '\ufffe', '\ud800', 'x'.repeat(257)]
  for (const subject of refused) {
    assert.equal(isSubject(subject), false, JSON.stringify(subject))
    assert.equal(readSubjectSegment(subjectSegment(subject)), undefined, JSON.stringify(subject))
  }
  for (const subject of ['x'.repeat(256), '\u00a0', 'ß']) assert.equal(isSubject(subject), true)
})
