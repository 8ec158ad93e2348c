import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredRecord } from '../../../lib/fleet/record-store.ts'
import { readPublication, writePublication } from '../../../lib/key-lifecycle/publication-record.ts'
import type { Publication, PublishedKey } from '../../../lib/key-lifecycle/published-keys.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { createPublicationKey, signFields, thePublicationKey } from '../../support/virtual/publications.ts'

/* The record of a publication. An attacker who can write records may have written it. */

const now = 1_800_000_000_000
const hour = 3_600_000
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const publicKey = await thePublicationKey.publicKey()
const whole = generateKey('RS256', 2048).export({ format: 'jwk' })

/** A key with its private members, as a mistake in Tokenwell could store it. */
function aLeakingKey(kid: string, until?: number): PublishedKey {
  const jwk = { ...whole, kid, use: 'sig', alg: 'RS256', k: 'hunter2', oth: 'hunter2' }
  return { jwk: jwk as never, publishedAt: now, ...(until !== undefined && { until }) }
}

const keys = (...published: readonly PublishedKey[]): Publication => ({ kind: 'keys', keys: published })
const write = (publication: Publication, jwtBuilder = 'theBuilder', signer = thePublicationKey) =>
  writePublication(jwtBuilder, publication, { signer, version: 'version', now })
const read = (record: StoredRecord, at = now, jwtBuilder = 'theBuilder') =>
  readPublication(jwtBuilder, record, publicKey, at)
const refusalOf = (...parts: Parameters<typeof read>) => {
  const found = read(...parts)
  return found.kind === 'refused' ? found.why : 'none'
}

test('no private member is written to the record or read from it', async () => {
  const { fields } = await write(keys(aLeakingKey('a'), aLeakingKey('b', now + 5)))
  const written: object[] = JSON.parse(String(fields['jwks'])).keys
  assert.equal(written.length, 2)
  for (const name of privateMembers) for (const key of written) assert.ok(!(name in key), name)

  const jwks = JSON.stringify({ keys: [{ ...aLeakingKey('a').jwk, publishedAt: 5 }] })
  const found = read(await signFields('theBuilder', { jwks }, now))
  assert(found.kind === 'signed' && found.publication.kind === 'keys')
  const [{ jwk } = assert.fail()] = found.publication.keys
  assert.deepEqual(Object.keys(jwk).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
})

test('a publication is read as it was written, and is kept for ten years', async () => {
  const { kty, n, e } = whole
  const clean = { kty, n, e, kid: 'a', use: 'sig', alg: 'RS256' } as never
  for (const publication of [
    keys({ jwk: clean, publishedAt: 5 }, { jwk: clean, publishedAt: 6, until: 7 }),
    keys(),
    { ...keys(), tryAt: 8 } as const,
    { kind: 'shared_key', algorithm: 'HS384' } as const,
  ]) {
    const record = await write(publication)
    assert.deepEqual(read(record), { kind: 'signed', publication, signedAt: now })
    assert.equal(record.dueAt, 'tryAt' in publication ? publication.tryAt : undefined)
    assert.ok(record.removableFrom > now + 9 * 365 * 86_400_000)
  }
})

test('signed content that is not a public key is not read', async () => {
  const found = async (fields: Record<string, string | number>) => {
    const record = read(await signFields('theBuilder', fields, now))
    return record.kind === 'signed' ? record.publication : assert.fail(record.why)
  }
  for (const fields of [{}, { jwks: 'hunter2' }, { jwks: 'null' }, { jwks: '{}' }, { jwks: 5 }, { sharedKey: 'RS0' }])
    assert.deepEqual(await found(fields), keys(), JSON.stringify(fields))
  const some = await found({ jwks: JSON.stringify({ keys: [null, 'text', { kty: 'RSA' }, aLeakingKey('a').jwk] }) })
  assert(some.kind === 'keys')
  assert.deepEqual(
    some.keys.map(({ jwk: { kid }, publishedAt }) => [kid, publishedAt]),
    [['a', now]],
    'a key without a publication time counts as published since the signature',
  )
})

test('the publication time of a key is never later than the signature', async () => {
  const record = await write(keys({ ...aLeakingKey('a'), publishedAt: now + hour }))
  const found = read(record)
  assert(found.kind === 'signed' && found.publication.kind === 'keys')
  assert.equal(found.publication.keys[0]?.publishedAt, now)
})

test('a record that is unsigned, signed by another key, for another jwtBuilder, or changed anywhere is refused', async () => {
  const publication = { ...keys(aLeakingKey('a')), tryAt: now } as const
  const record = await write(publication)
  assert.equal(refusalOf(record), 'none')
  const { signature = '', signedAt = 0, jwks = '' } = record.fields
  const withFields = (fields: StoredRecord['fields']) => ({ ...record, fields })

  for (const fields of [{ jwks }, { jwks, signedAt }, { jwks, signature }, {}])
    assert.equal(refusalOf(withFields(fields)), 'unsigned', Object.keys(fields).join())
  for (const odd of ['', '!', 'AAAA', `${signature}AAAA`, Buffer.alloc(72).toString('base64url')])
    assert.equal(refusalOf(withFields({ jwks, signedAt, signature: odd })), 'wrong_signature', odd)

  const anotherSet = JSON.stringify({ keys: [...JSON.parse(String(jwks)).keys, aLeakingKey('mine').jwk] })
  const changed: Record<string, StoredRecord> = {
    'another set': withFields({ ...record.fields, jwks: anotherSet }),
    'a later time': withFields({ ...record.fields, signedAt: Number(signedAt) + 1 }),
    'one more field': withFields({ ...record.fields, sharedKey: 'HS256' }),
    'a time as text': withFields({ ...record.fields, jwks: 5 }),
    'another trial': { ...record, dueAt: now + 1 },
    'no trial': { version: 'version', removableFrom: 0, fields: record.fields },
  }
  for (const [what, each] of Object.entries(changed)) assert.equal(refusalOf(each), 'wrong_signature', what)
  assert.equal(refusalOf(record, now, 'other'), 'wrong_signature')
  assert.equal(refusalOf(await write(publication, 'theBuilder', createPublicationKey())), 'wrong_signature')
})

test('an old record that is put back counts for 25 hours, and one from the future does not count', async () => {
  const record = await write(keys(aLeakingKey('a')))
  assert.equal(refusalOf(record, now + 25 * hour), 'none')
  assert.equal(refusalOf(record, now + 25 * hour + 1), 'too_old')
  assert.equal(refusalOf(record, now - 5 * 60_000), 'none')
  assert.equal(refusalOf(record, now - 5 * 60_000 - 1), 'signed_in_the_future')
  const shared = await write({ kind: 'shared_key', algorithm: 'HS256' })
  assert.equal(refusalOf(shared, now + 25 * hour + 1), 'too_old')
})

test('an old record without keys is accepted: nothing signs the record of a deleted jwtBuilder anew', async () => {
  for (const publication of [keys(), keys(aLeakingKey('a', now + hour))])
    assert.equal(refusalOf(await write(publication), now + 1000 * hour), 'none')
})
