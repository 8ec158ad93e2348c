import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

const withPassOn = (passOn: unknown) => exampleElements(exampleIssuer, { oAuth: { passOn } })

test('passOn names one member or several, each once', async (t) => {
  for (const [passOn, expected] of [
    ['instance_url', ['instance_url']],
    [
      ['instance_url', 'id', 'as:client_id', '.expires', 'id'],
      ['instance_url', 'id', 'as:client_id', '.expires'],
    ],
  ])
    assert.deepEqual((await resolveConn(t, withPassOn(passOn))).passOn, expected)
  assert.equal('passOn' in (await resolveConn(t, withPassOn(undefined))), false)
})

const forNoCaller = ['refresh_token', 'id_token', 'refreshToken', 'ID-Token', 'client_secret', 'device_secret']
for (const name of forNoCaller)
  test(`it is a mistake to pass on ${name}, which no caller may get`, async (t) => {
    assertLines(await mistakesOf(t, withPassOn(['instance_url', name])), [
      /^oAuthConfig\/theConfig passOn: Take out the member .*: no caller may get it\.$/,
    ])
  })

const tokenwells = [
  ...['access_token', 'token_type', 'issued_token_type', 'expires_in', 'scope', 'token_id', 'source', 'ignored'],
  ...['error', 'error_description', 'error_uri', 'request_id', 'retry_after', 'status', 'keep_seconds', 'expiresIn'],
]
for (const name of tokenwells)
  test(`it is a mistake to pass on ${name}, which Tokenwell's answer has itself`, async (t) => {
    assertLines(await mistakesOf(t, withPassOn(name)), [
      /^oAuthConfig\/theConfig passOn: Take out the member .*: Tokenwell's answer has its own\.$/,
    ])
  })

for (const name of ['__proto__', 'a b', 'a"b', 'ä', 'x'.repeat(65), 'a\nb', 'a/b'])
  test(`it is a mistake to name a member ${JSON.stringify(name)}`, async (t) => {
    assertLines(await mistakesOf(t, withPassOn([name])), [
      /^oAuthConfig\/theConfig passOn: The name of a member has at most 64 characters/,
    ])
  })

test('passOn without a name, with 21 names or of another type is a mistake', async (t) => {
  for (const passOn of [[], '', 7, { instance_url: true }, [7], Array.from({ length: 21 }, (_, index) => `m${index}`)])
    assertLines(await mistakesOf(t, withPassOn(passOn)), [
      /^oAuthConfig\/theConfig passOn: It must be the name of one member of the token answer, or a list of at most 20 names\./,
    ])
})
