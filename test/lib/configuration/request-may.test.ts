import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  assertLines,
  exampleIssuer,
  findingsOf,
  mistakesOf,
  resolveConn,
} from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

type OAuth = Readonly<Record<string, unknown>>

const elementsWith = (oAuth: OAuth) => exampleElements(exampleIssuer, { oAuth, builder: { audiences: exampleIssuer } })

/* A mistake for each element. */
const wrong: readonly (readonly [OAuth, RegExp])[] = [
  [{ requestMay: { scope: ['a'] } }, /requestMay: It lists values of scope.*Set scope or defaultScope/],
  [{ scope: '', requestMay: { scope: ['a'] } }, /requestMay: It lists values of scope/],
  [{ requestMay: { audience: ['a'] } }, /requestMay: It lists values of audience.*Set audience/],
  [{ requestMay: { resource: ['urn:a'] } }, /requestMay: It lists values of resource.*Set resource/],
  [{ requestMay: { scope: [] } }, /requestMay: The value of scope must be true or a list of texts\.$/],
  [{ requestMay: { scope: ['a'] }, defaultScope: 'b' }, /defaultScope: It must be one or more of the scopes/],
  [{ requestMay: { scope: true }, defaultScope: 'b' }, /defaultScope: It must be one or more of the scopes/],
  [{ defaultScope: 'b' }, /defaultScope: It must be one or more of the scopes/],
  [{ scope: 'a', requestMay: { scope: ['b'] }, defaultScope: 'b' }, /defaultScope: It has no effect when scope is set/],
  [{ requestMay: { Scope: true } }, /requestMay: Take out the parameter Scope: some servers read it as scope/],
  [
    { requestMay: { 'grant.type': true } },
    /requestMay: Take out the parameter grant.type: some servers read it as grant_type/,
  ],
  [{ requestMay: { minimum_seconds: true } }, /requestMay: Take out the parameter minimum_seconds: requestMay does/],
  [{ requestMay: { 'a b': true } }, /requestMay: .*RFC 6749 appendix A/],
  [
    { parameters: { 'client.id': 'x' } },
    /parameters: Take out the parameter client.id: some servers read it as client_id/,
  ],
  [{ parameters: { 'scope[]': 'x' } }, /parameters: .*RFC 6749 appendix A/],
  [
    { parameters: { 'tenant.id': 'x', tenant_id: 'y' } },
    /parameters: Keep only one of the parameters tenant.id and tenant_id: /,
  ],
  [
    { parameters: { tenant_id: 'x' }, requestMay: { 'tenant.id': true } },
    /requestMay: It names tenant.id and parameters names tenant_id: some servers/,
  ],
]

for (const [oAuth, line] of wrong)
  test(`a mistake: ${JSON.stringify(oAuth)}`, async (t) => {
    const [first, ...others] = await mistakesOf(t, elementsWith(oAuth))
    assert.match(String(first), line)
    assert.ok(others.every((other) => /oAuthConfig\/theConfig (parameters|requestMay|defaultScope): /.test(other)))
  })

test('no mistake: a list beside its default', async (t) => {
  for (const oAuth of [
    { requestMay: { scope: ['a', 'b'] }, defaultScope: 'b' },
    { scope: 'a', requestMay: { scope: ['b'] } },
    { audience: 'a', requestMay: { audience: ['b'] } },
    { requestMay: { scope: true } },
    { requestMay: { tenant: true } },
  ])
    assertLines(await findingsOf(t, elementsWith(oAuth)), [])
})

test('a list of another parameter without a default draws a warning', async (t) => {
  const oAuth = { requestMay: { tenant: ['a', 'b'] } }
  assertLines(await findingsOf(t, elementsWith(oAuth)), [
    /requestMay: It lists values of tenant.*set tenant in parameters/,
  ])
})

test('a request without a scope gets defaultScope', async (t) => {
  const { parameters } = await resolveConn(t, elementsWith({ requestMay: { scope: ['a', 'b'] }, defaultScope: ['b'] }))
  assert.deepEqual(parameters.scope, ['b'])
})
