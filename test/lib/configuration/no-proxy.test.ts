import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isNoProxyRule, isReachedDirectly } from '../../../lib/configuration/no-proxy.ts'

type Row = readonly [rule: string, reached: readonly string[], proxied: readonly string[]]

const rows: readonly Row[] = [
  ['*', ['https://api.example.com', 'https://10.0.0.1:8443', 'https://[::1]'], []],
  [
    'api.example.com',
    ['https://api.example.com', 'https://api.example.com:8443', 'https://API.example.com', 'https://api.example.com.'],
    ['https://my-api.example.com', 'https://v1.api.example.com', 'https://example.com', 'https://api.example.com.evil'],
  ],
  ['API.Example.COM', ['https://api.example.com'], []],
  ['api.example.com.', ['https://api.example.com', 'https://api.example.com.'], []],
  ['my_service', ['https://my_service'], ['https://my-service']],
  [
    'api.example.com:8443',
    ['https://api.example.com:8443'],
    ['https://api.example.com', 'https://api.example.com:844'],
  ],
  ['api.example.com:443', ['https://api.example.com', 'https://api.example.com:443'], ['https://api.example.com:8443']],
  ['localhost:80', ['http://localhost/token'], ['http://localhost:443', 'https://localhost']],
  ['localhost:443', ['https://localhost'], ['http://localhost']],
  [
    '.example.com',
    ['https://api.example.com', 'https://v1.api.example.com:8443', 'https://API.EXAMPLE.COM', 'https://a.example.com.'],
    ['https://example.com', 'https://example.com.evil', 'https://apiexample.com'],
  ],
  ['*.example.com', ['https://api.example.com', 'https://v1.api.example.com'], ['https://example.com']],
  ['.example.com:8443', ['https://api.example.com:8443'], ['https://api.example.com', 'https://example.com:8443']],
  ['*.Example.com:443', ['https://api.example.com'], ['https://api.example.com:8443']],
  ['10.0.0.1', ['https://10.0.0.1', 'https://10.0.0.1:8443'], ['https://10.0.0.10', 'https://110.0.0.1']],
  ['10.0.0.1:8443', ['https://10.0.0.1:8443'], ['https://10.0.0.1']],
  ['::1', ['https://[::1]', 'https://[::1]:8443'], ['https://[::2]', 'https://[1::1]']],
  ['[::1]', ['https://[::1]', 'https://[::1]:8443'], ['https://[::2]']],
  ['[::1]:8443', ['https://[::1]:8443'], ['https://[::1]', 'https://[::1]:443']],
  ['2001:db8::1', ['https://[2001:db8::1]', 'https://[2001:db8::1]:8443'], ['https://[2001:db8::]']],
  ['2001:db8::1:8443', ['https://[2001:db8::1:8443]'], ['https://[2001:db8::1]:8443']],
  ['[2001:0DB8:0:0::1]', ['https://[2001:db8::1]'], ['https://[2001:db8::2]']],
  ['::ffff:10.0.0.1', ['https://[::ffff:a00:1]'], ['https://10.0.0.1']],
]
for (const [rule, reached, proxied] of rows)
  test(`noProxy ${rule}: only the hosts that it names are reached directly`, () => {
    assert.equal(isNoProxyRule(rule), true)
    for (const url of reached) assert.equal(isReachedDirectly(new URL(url), [rule]), true, url)
    for (const url of proxied) assert.equal(isReachedDirectly(new URL(url), [rule]), false, url)
  })

test('one matching rule is enough, and without rules every host is reached through the proxy', () => {
  const url = new URL('https://api.example.com')
  assert.equal(isReachedDirectly(url, ['10.0.0.1', '.example.com', 'other.example']), true)
  assert.equal(isReachedDirectly(url, ['10.0.0.1', 'other.example']), false)
  assert.equal(isReachedDirectly(url, []), false)
})

const noRules = [
  '',
  '.',
  '*.',
  '**',
  '*:8443',
  ':8443',
  'api.*.com',
  '*example.com',
  '..example.com',
  'api..example.com',
  '-api.example.com',
  'https://api.example.com',
  'api.example.com/v1',
  'user@api.example.com',
  'api.example.com:',
  'api.example.com:0',
  'api.example.com:0443',
  'api.example.com:65536',
  'api.example.com:https',
  '10.0.0.0/8',
  '127.1',
  '0x7f.0.0.1',
  '[::1',
  '[]',
  '[10.0.0.1]',
  '[api.example.com]',
  ':::1',
  '[::1]:',
  '.::1',
  '*.[::1]',
  'fe80::1%eth0',
  'bücher.example',
]
for (const text of noRules)
  test(`${JSON.stringify(text)} is not a rule of noProxy`, () => {
    assert.equal(isNoProxyRule(text), false)
    assert.equal(isReachedDirectly(new URL('https://api.example.com'), [text]), false)
  })
