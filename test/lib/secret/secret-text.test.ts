import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secretText } from '../../../lib/secret/secret.ts'

/** A DER sequence of that many bytes that are not UTF-8. */
function sequenceOf(size: number): Buffer {
  const length = size.toString(16).padStart(Math.ceil(size.toString(16).length / 2) * 2, '0')
  const lengthBytes = Buffer.from(length, 'hex')
  return Buffer.concat([Buffer.from([0x30, 0x80 + lengthBytes.length]), lengthBytes, Buffer.alloc(size, 0xff)])
}

test('UTF-8 stays unchanged: JSON, PEM, and a password with umlauts', () => {
  for (const text of ['', 'pässwörd\n', '{"keys":[]}', '-----BEGIN PRIVATE KEY-----\r\n'])
    assert.equal(secretText(Buffer.from(text)), text)
})

for (const size of [256, 2_500, 70_000])
  test(`DER of ${size} bytes becomes base64`, () => {
    const der = sequenceOf(size)
    assert.equal(secretText(der), der.toString('base64'))
  })

for (const [what, bytes] of Object.entries({
  'bytes of any kind': Buffer.from([0xff, 0xfe, 0x00]),
  'text in Latin-1': Buffer.from('p\u00e4ssw\u00f6rd', 'latin1'),
  'DER that lacks its last byte': sequenceOf(2_500).subarray(0, -1),
  'DER with a byte more': Buffer.concat([sequenceOf(2_500), Buffer.from([0xff])]),
  'DER that is no sequence': Buffer.concat([Buffer.from([0x31]), sequenceOf(2_500).subarray(1)]),
  'a sequence without its length': Buffer.from([0x30, 0x82]),
  'a sequence of indefinite length': Buffer.from([0x30, 0x80, 0xff, 0x00, 0x00]),
  'a sequence whose length takes five bytes': Buffer.concat([
    Buffer.from([0x30, 0x85, 0, 0, 0, 1, 0]),
    Buffer.alloc(256, 0xff),
  ]),
}))
  test(`${what}: neither`, () => {
    assert.equal(secretText(bytes), undefined)
  })
