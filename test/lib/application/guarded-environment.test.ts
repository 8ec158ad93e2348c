import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readGuardedEnvironment } from '../../../lib/application/environment.ts'

const variables = {
  TOKENWELL_STAGE: 'prod-1',
  TOKENWELL_PUBLIC_URL: 'https://tokenwell.example',
  TOKENWELL_ELEMENTS: 'elements.json',
  TOKENWELL_SECRETS: 'secrets',
  TOKENWELL_CACHE: 'memory',
}

test('a claim is one that has a name', () => {
  const environment = (claim: string | undefined) =>
    readGuardedEnvironment({ ...variables, TOKENWELL_CONNECTIONS_CLAIM: claim })
  assert.equal(environment('connections').connectionsClaim, 'connections')
  assert.equal('connectionsClaim' in environment(''), false)
  assert.equal('connectionsClaim' in environment(undefined), false)
})
