import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveConnection } from '../../../lib/configuration/resolve-connection.ts'
import {
  assertLines,
  elementStoreOf,
  exampleIssuer,
  findingsOf,
  localDeployment,
  mistakesOf,
} from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

type OAuth = Readonly<Record<string, unknown>>

const elementsWith = (oAuth: OAuth) => exampleElements(exampleIssuer, { oAuth, builder: { audiences: exampleIssuer } })

/* A mistake, by what the element says. */
const wrong: readonly (readonly [OAuth, RegExp])[] = [
  [{ requestMay: { scope: ['a'] } }, /requestMay: it lists values of scope.*set scope or defaultScope/],
  [{ scope: '', requestMay: { scope: ['a'] } }, /requestMay: it lists values of scope/],
  [{ requestMay: { audience: ['a'] } }, /requestMay: it lists values of audience.*set audience/],
  [{ requestMay: { resource: ['urn:a'] } }, /requestMay: it lists values of resource.*set resource/],
  [{ requestMay: { scope: [] } }, /requestMay: it must be .*: scope has neither/],
  [{ requestMay: { scope: ['a'] }, defaultScope: 'b' }, /defaultScope: it must be one or more of the scopes/],
  [{ requestMay: { scope: true }, defaultScope: 'b' }, /defaultScope: it must be one or more of the scopes/],
  [{ defaultScope: 'b' }, /defaultScope: it must be one or more of the scopes/],
  [{ scope: 'a', requestMay: { scope: ['b'] }, defaultScope: 'b' }, /defaultScope: it has no effect beside scope/],
  [{ requestMay: { Scope: true } }, /requestMay: .*without Scope, which some servers take for scope/],
  [{ requestMay: { 'grant.type': true } }, /requestMay: .*without grant.type, which some servers take for grant_type/],
  [{ requestMay: { minimum_seconds: true } }, /requestMay: .*without minimum_seconds/],
  [{ requestMay: { 'a b': true } }, /requestMay: .*RFC 6749 appendix A/],
  [{ parameters: { 'client.id': 'x' } }, /parameters: .*without client.id, which some servers take for client_id/],
  [{ parameters: { 'scope[]': 'x' } }, /parameters: .*RFC 6749 appendix A/],
  [{ parameters: { 'tenant.id': 'x', tenant_id: 'y' } }, /parameters: .*without tenant.id beside tenant_id/],
  [
    { parameters: { tenant_id: 'x' }, requestMay: { 'tenant.id': true } },
    /requestMay: some servers take tenant.id for/,
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
  assertLines(await findingsOf(t, elementsWith(oAuth)), [/requestMay: it lists values of tenant.*set it in parameters/])
})

test('defaultScope is what a request asks for that names no scope', async (t) => {
  const store = await elementStoreOf(t, elementsWith({ requestMay: { scope: ['a', 'b'] }, defaultScope: ['b'] }))
  const { parameters } = await resolveConnection(store, localDeployment, 'conn')
  assert.deepEqual(parameters.scope, ['b'])
})
