import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { exampleIssuer, findingsOf } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

type Attributes = Readonly<Record<string, unknown>>

async function warningsOf(
  t: TestContext,
  local: Attributes,
  builder: Attributes = { audiences: 'https://as.example.com' },
) {
  const lines = await findingsOf(t, {
    ...exampleElements(exampleIssuer, { builder }),
    authTokenLocal: { theLocalToken: { tokenGeneratorRef: 'theBuilder', ...local } },
  })
  return lines.filter((line) => line.startsWith('authTokenLocal/theLocalToken tokenGeneratorRef'))
}

test('a token of callers with the key and the aud of an assertion of a client draws a warning, which an operator can accept', async (t) => {
  const [line, ...others] = await warningsOf(t, {})
  assert.match(
    line ?? '',
    /jwtBuilder\/theBuilder also signs the JWTs of oAuthTokenConfig\/theTokenConfig, with the same aud: a caller that gets this token may authenticate with it as the client\. Use another jwtBuilder/,
  )
  assert.deepEqual(others, [])
  assert.deepEqual(await warningsOf(t, { acceptedWarnings: 'tokenGeneratorRef' }), [])
})

test('a token with an aud of its own, or of a jwtBuilder without audiences, draws none', async (t) => {
  assert.deepEqual(await warningsOf(t, { claims: { aud: 'https://api.example.com' } }), [])
  assert.deepEqual(await warningsOf(t, {}, { audiences: undefined }), [])
})
