import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEnvironment } from '../../../functions/issue-token/environment.ts'

const variables = {
  TOKENWELL_STAGE: 'prod-1',
  TOKENWELL_PUBLIC_URL: 'https://tokenwell.example/base//',
  TOKENWELL_ELEMENTS: 'elements.json',
  TOKENWELL_SECRETS: 'secrets',
}

test('what a function is told: the public URL without a slash at its end, and no claim', () => {
  assert.deepEqual(readEnvironment(variables), {
    surroundings: { stage: 'prod-1', publicUrl: 'https://tokenwell.example/base', isLambda: false },
    elementsPath: 'elements.json',
    secretsFolder: 'secrets',
  })
})

test('the name that Lambda sets tells that it is Lambda', () => {
  const { surroundings } = readEnvironment({ ...variables, AWS_LAMBDA_FUNCTION_NAME: 'issue-token' })
  assert.equal(surroundings.isLambda, true)
})

test('a claim is one that has a name', () => {
  const claim = (name: string) => readEnvironment({ ...variables, TOKENWELL_CONNECTIONS_CLAIM: name }).connectionsClaim
  assert.equal(claim('connections'), 'connections')
  assert.equal(claim(''), undefined)
})

test('every variable that is wrong is named, and no other', () => {
  for (const [name, wrong] of [
    ['TOKENWELL_STAGE', ''],
    ['TOKENWELL_STAGE', 'a/b'],
    ['TOKENWELL_STAGE', 'a\n'],
    ['TOKENWELL_STAGE', 'x'.repeat(33)],
    ['TOKENWELL_PUBLIC_URL', 'tokenwell.example'],
    ['TOKENWELL_ELEMENTS', ''],
    ['TOKENWELL_SECRETS', undefined],
  ] as const)
    assert.throws(
      () => readEnvironment({ ...variables, [name]: wrong }),
      ({ message }: Error) => message.startsWith(`${name} must be `) && !message.includes(';'),
    )
})
