import assert from 'node:assert/strict'
import { test } from 'node:test'
import { format, inspect } from 'node:util'
import { Secret } from '../../lib/secret/secret.ts'
import { leaks } from '../support/output/canary.ts'

const text = 'tr0ub4dor-and-3-more-words'

test('a secret does not print, in any way that was tried', () => {
  const secret = new Secret(text)
  const holder = { secret, list: [secret], map: new Map([['a', secret]]), error: new Error('no', { cause: secret }) }
  const printed = [
    String(secret),
    `${secret}`,
    JSON.stringify(holder),
    format('%s %o %O %j', secret, secret, secret, secret),
    inspect(holder, { depth: Infinity, showHidden: true, getters: true, customInspect: true }),
    inspect(holder, { depth: Infinity, showHidden: true, customInspect: false }),
    JSON.stringify(Object.getOwnPropertyDescriptors(secret)),
    JSON.stringify(structuredClone({ ...secret })),
    Object.values(secret).join(),
  ]
  assert.deepEqual(leaks([text], printed), [])
  for (const each of printed.slice(0, 2)) assert.equal(each, '[secret]')
  assert.equal(secret.reveal(), text)
})
