import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readConnectionRecord, writeConnectionRecord } from '../../../lib/fleet/connection-record.ts'
import { coolDownFields, fieldsOf } from '../../../lib/fleet/cool-down.ts'
import type { RecordFields } from '../../../lib/fleet/record-store.ts'
import { readTokenRecord, tokenFields } from '../../../lib/fleet/token-record.ts'
import { root } from '../../support/process/local-run.ts'

/* Compares lib/fleet/README.md with the fields that the code reads and writes. */

const page = readFileSync(join(root, 'lib', 'fleet', 'README.md'), 'utf8')

/** The names in the first column of the first table below that heading. */
function fieldsBelow(heading: string): readonly string[] {
  const [, section = ''] = page.split(`\n### ${heading}\n`)
  const [table = ''] = /(?:^\|.*\|\n)+/m.exec(section) ?? []
  return [...table.matchAll(/^\| (`[^|]+) \|/gm)]
    .flatMap(([, cell = '']) => [...cell.matchAll(/`(\w+)`/g)])
    .map(([, field = '']) => field)
    .sort()
}

test('the storage schema lists the fields of a token, and no others', () => {
  const read = new Set<string>()
  const fields = new Proxy<RecordFields>({}, { get: (_target, name) => void read.add(String(name)) })
  readTokenRecord(fields, 0)
  assert.deepEqual(fieldsBelow('Token'), [...read].sort())
  assert.deepEqual(fieldsBelow('Token'), [...tokenFields].sort())
})

test('the storage schema lists the fields of a connection, and no others', () => {
  const state = {
    ...{ generation: 1, fingerprint: 'a', variants: [], staged: { generation: 2, fingerprint: 'b' } },
    ...{ clearedAt: 1, firstGeneration: 1 },
    warming: {
      ...{ idleMilliseconds: 60_000, idleLifetimes: 1, maximumVariants: 1 },
      ...{ authorizationServer: 'server', maximumConcurrency: 1 },
    },
  }
  const written = writeConnectionRecord(state, 'v', 0)
  assert.deepEqual(fieldsBelow('Connection'), Object.keys(written.fields).sort())
  assert.equal(readConnectionRecord(written, 0).laterFields, undefined)
})

test('the storage schema lists the fields of a cool-down, and no others', () => {
  const state = {
    coolDown: { beganAt: 1, until: 2, failure: '{}', failures: 1, probe: { until: 3, isOwn: true } },
    ...{ suspectedUntil: 1, controlAt: 1, liftedAt: 1, counted: [1] },
  }
  assert.deepEqual(fieldsBelow('Cool-down'), Object.keys(fieldsOf(state)).sort())
  assert.deepEqual(fieldsBelow('Cool-down'), [...coolDownFields].sort())
})
