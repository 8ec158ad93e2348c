import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'

/* What odd servers want of a token request. */

function elementsWith(changes: ElementChanges): RawElements {
  return exampleElements(exampleIssuer, changes)
}

test('the separator of scopes is a blank unless the server has another one', async (t) => {
  for (const scopeSeparator of [undefined, ' ']) {
    const { authorizationServer } = await resolveConn(t, elementsWith({ server: { scopeSeparator } }))
    assert.equal('scopeSeparator' in authorizationServer, false)
  }
  for (const scopeSeparator of [',', ';', '|']) {
    const { authorizationServer } = await resolveConn(t, elementsWith({ server: { scopeSeparator } }))
    assert.equal(authorizationServer.scopeSeparator, scopeSeparator)
  }
  for (const scopeSeparator of ['', '+', ', ', ':', 1])
    assertLines(await mistakesOf(t, elementsWith({ server: { scopeSeparator } })), [
      /^authorizationServer\/theServer scopeSeparator: It must be a blank, a comma, a semicolon or \|\./,
    ])
})

test('a scope with the separator in it is a mistake, wherever it is written', async (t) => {
  const server = { scopeSeparator: ',' }
  const mistake = (attribute: string) => [
    new RegExp(
      `^oAuthConfig/theConfig ${attribute}: The scope "a,b" contains the scopeSeparator of authorizationServer`,
    ),
  ]
  const mistakes = (oAuth: object) => mistakesOf(t, elementsWith({ server, oAuth: { ...oAuth } }))
  assertLines(await mistakes({ scope: 'c a,b' }), mistake('scope'))
  assertLines(await mistakes({ scope: 'c', requestMay: { scope: ['a,b'] } }), mistake('requestMay'))
  assertLines(await mistakes({ defaultScope: 'a,b', requestMay: { scope: true } }), mistake('defaultScope'))
  const { parameters } = await resolveConn(t, elementsWith({ server, oAuth: { scope: 'a b;c' } }))
  assert.deepEqual(parameters.scope, ['a', 'b;c'])
})
