import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  clearingRecordName,
  connectionRecordName,
  coolDownRecordName,
  dueShardOf,
  publishedKeysRecordName,
  RecordStoreError,
  readPublishedKeysRecordName,
  readRecordName,
  recordNameOf,
  recordNameText,
  secretsVersionRecordName,
  tokenIdFor,
  tokenRecordName,
} from '../../../lib/fleet/record-store.ts'

test('the names of records stay the same, since two versions share a cache', () => {
  const names = [
    tokenRecordName('conn', 'the-digest'),
    connectionRecordName('conn'),
    coolDownRecordName('the-digest'),
    publishedKeysRecordName('theBuilder'),
    secretsVersionRecordName,
    clearingRecordName,
  ]
  assert.deepEqual(names.map(recordNameText), [
    'conn/token#the-digest',
    'conn/connection',
    'cool-downs/cool-down#the-digest',
    'keys/jwks#theBuilder',
    'secrets/secrets#mark',
    'clearing/clearing#all',
  ])
})

test('a written name is read back, and any other text is undefined', () => {
  for (const name of [tokenRecordName('conn', 'd'), { group: 'a', id: 'b/c' }, { group: '', id: '' }])
    assert.deepEqual(readRecordName(recordNameText(name)), name)
  assert.deepEqual(readRecordName('/a'), { group: '', id: 'a' })
  for (const text of ['', 'conn', 'token#d']) assert.equal(readRecordName(text), undefined, text)
})

test('published keys are found by their jwtBuilder, and no other record is mistaken for them', () => {
  assert.equal(readPublishedKeysRecordName(publishedKeysRecordName('theBuilder')), 'theBuilder')
  for (const name of [
    { group: 'keys', id: 'connection' },
    { group: 'keys', id: 'token#jwks#theBuilder' },
    { group: 'conn', id: 'jwks#theBuilder' },
  ])
    assert.equal(readPublishedKeysRecordName(name), undefined, recordNameText(name))
})

test('a token id leads to its record under its own connection, and an id that was never shared leads to no record', () => {
  const name = tokenRecordName('conn', 'the-digest')
  assert.equal(tokenIdFor(name, 'random'), 'random.the-digest')
  assert.deepEqual(recordNameOf('conn', 'random.the-digest'), name)
  assert.deepEqual(recordNameOf('other', 'random.the-digest'), tokenRecordName('other', 'the-digest'))
  assert.equal(recordNameOf('conn', 'random'), undefined)
})

test("all of a record's name decides its shard", () => {
  assert.deepEqual(['my.conn-1_a/token#abc', 'conn/generation', 'b', 'a', ''].map(dueShardOf), [
    '4',
    '2',
    '7',
    '7',
    '4',
  ])
})

test('an error of the store has its code, and asks to wait only if it says so', () => {
  const error = new RecordStoreError('no')
  assert.deepEqual([error.code, error.isThrottled], ['record_store', false])
  assert.equal(new RecordStoreError('no', { isThrottled: true }).isThrottled, true)
})
