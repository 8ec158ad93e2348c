import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEnvironment as read } from '../../../lib/application/environment.ts'

const variables = {
  TOKENWELL_STAGE: 'prod-1',
  TOKENWELL_PUBLIC_URL: 'https://tokenwell.example/base//',
  TOKENWELL_ELEMENTS: 'elements.json',
  TOKENWELL_SECRETS: 'secrets',
  TOKENWELL_CACHE: 'memory',
}

test('the public URL has no slash at its end, and by default there is no event bus', () => {
  assert.deepEqual(read(variables), {
    deployment: { stage: 'prod-1', publicUrl: 'https://tokenwell.example/base', isLambda: false },
    elements: { kind: 'files', path: 'elements.json' },
    secrets: { kind: 'files', folder: 'secrets' },
    cache: { place: { kind: 'memory' }, secretName: 'tokenwell/prod-1/cache', budgetMilliseconds: 250 },
    memoryMaximumSeconds: Infinity,
    events: { kind: 'none' },
    deadLetters: { kind: 'none' },
    publicationKey: { kind: 'none' },
    earlierRecords: 'none',
    logDetail: { level: 'info', metricsByConnection: true },
  })
})

test('the log can have failures alone, and metrics can be without connections', () => {
  const detail = (level: string, byConnection: string) =>
    read({ ...variables, TOKENWELL_LOG_LEVEL: level, TOKENWELL_METRICS_BY_CONNECTION: byConnection }).logDetail
  assert.deepEqual(detail('warn', 'false'), { level: 'warn', metricsByConnection: false })
  assert.deepEqual(detail('info', 'true'), { level: 'info', metricsByConnection: true })
  assert.throws(() => detail('debug', 'no'), {
    message:
      'TOKENWELL_LOG_LEVEL must be info or warn, or left out; TOKENWELL_METRICS_BY_CONNECTION must be true or false, or left out.',
  })
})

test('the function name that Lambda sets shows that the function runs on Lambda', () => {
  const { deployment } = read({ ...variables, AWS_LAMBDA_FUNCTION_NAME: 'issue-token' })
  assert.equal(deployment.isLambda, true)
})

test('on AWS elements are in Parameter Store, secrets in Secrets Manager, tokens in a table, 30 s of them in memory', () => {
  const { elements, secrets, cache, memoryMaximumSeconds } = read({
    ...variables,
    TOKENWELL_ELEMENTS: 'parameter-store',
    TOKENWELL_SECRETS: 'secrets-manager',
    TOKENWELL_CACHE: 'dynamodb:the.Table-1_x',
  })
  assert.deepEqual([elements, secrets], [{ kind: 'parameter_store' }, { kind: 'secrets_manager' }])
  assert.deepEqual(cache.place, { kind: 'dynamodb', tableName: 'the.Table-1_x' })
  assert.equal(memoryMaximumSeconds, 30)
})

test('named memory is shared with other functions, so a token is kept in memory for at most 30 s', () => {
  const { cache, memoryMaximumSeconds } = read({ ...variables, TOKENWELL_CACHE: 'memory:the-Local_run1' })
  assert.deepEqual(cache.place, { kind: 'memory', name: 'the-Local_run1' })
  assert.equal(memoryMaximumSeconds, 30)
})

test('a Valkey server is set by its URL, and the limits of the cache can be set', () => {
  const { cache, memoryMaximumSeconds } = read({
    ...variables,
    TOKENWELL_CACHE: 'valkeys://cache.example:6379',
    TOKENWELL_CACHE_SECRET: 'tokenwell/prod-1/other',
    TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000',
    TOKENWELL_MEMORY_SECONDS: '0',
  })
  assert.deepEqual(cache, {
    place: { kind: 'valkey', url: 'valkeys://cache.example:6379' },
    secretName: 'tokenwell/prod-1/other',
    budgetMilliseconds: 10_000,
  })
  assert.equal(memoryMaximumSeconds, 0)
})

test('the key for publications is a KMS key with its id, ARN or alias, or a file', () => {
  const place = (value: string) => read({ ...variables, TOKENWELL_PUBLICATION_KEY: value }).publicationKey
  const arn = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
  for (const keyId of [arn, '1234abcd-12ab-34cd-56ef-1234567890ab', 'alias/tokenwell_x'])
    assert.deepEqual(place(`kms:${keyId}`), { kind: 'kms', keyId })
  assert.deepEqual(place('.tokenwell/publication-key.pem'), { kind: 'file', path: '.tokenwell/publication-key.pem' })
  for (const wrong of ['kms:', 'kms:a b', 'kms:a?b'])
    assert.throws(
      () => place(wrong),
      /TOKENWELL_PUBLICATION_KEY must be kms:<key id, ARN or alias>, or the path of a file/,
    )
})

test('the event bus is an EventBridge bus with its name, or this process', () => {
  const events = (value: string) => read({ ...variables, TOKENWELL_EVENTS: value }).events
  assert.deepEqual(events('eventbridge:the.Bus-1_x'), { kind: 'eventbridge', busName: 'the.Bus-1_x' })
  assert.deepEqual(events('process'), { kind: 'process' })
  assert.deepEqual(events(''), { kind: 'none' })
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
    ['TOKENWELL_CACHE', undefined],
    ['TOKENWELL_CACHE', 'dynamodb:'],
    ['TOKENWELL_CACHE', 'dynamo:table'],
    ['TOKENWELL_CACHE', 'memory:'],
    ['TOKENWELL_CACHE', 'memory:a b'],
    ['TOKENWELL_CACHE', 'memory:a\n'],
    ['TOKENWELL_CACHE', `memory:${'x'.repeat(65)}`],
    ['TOKENWELL_MEMORY_SECONDS', '1.5'],
    ['TOKENWELL_CACHE_BUDGET_MILLISECONDS', '1s'],
    ['TOKENWELL_EVENTS', 'eventbridge:'],
    ['TOKENWELL_EVENTS', 'eventbridge:a bus'],
    ['TOKENWELL_EVENTS', 'the-bus'],
    ['TOKENWELL_EVENTS', 'none'],
    ['TOKENWELL_EMULATOR', 'http://localhost'],
    ['TOKENWELL_EMULATOR', 'http://localhost:4566/'],
    ['TOKENWELL_EMULATOR', 'http://user@localhost:4566'],
    ['TOKENWELL_EMULATOR', 'http://localhost.evil.example:4566'],
    ['TOKENWELL_EMULATOR', 'https://evil.example:443'],
    ['TOKENWELL_EMULATOR', 'http://169.254.169.254:80'],
    ['TOKENWELL_EMULATOR', 'http://0.0.0.0:80'],
  ] as const)
    assert.throws(
      () => read({ ...variables, [name]: wrong }),
      ({ message }: Error) => message.startsWith(`${name} must be `) && !message.includes(';'),
    )
})

test('one error lists all wrong variables', () => {
  const given = { ...variables, TOKENWELL_STAGE: '', TOKENWELL_DEAD_LETTERS: 'a queue' }
  assert.throws(() => read(given), {
    message:
      'TOKENWELL_STAGE must be the name of the stage: 1 to 32 letters, digits, _ and -; TOKENWELL_DEAD_LETTERS must be sqs:<URL of the queue>, or left out.',
  })
})

test('an emulator is on the loopback address', () => {
  for (const origin of ['http://localhost:4566', 'http://127.0.0.1:80', 'https://[::1]:65535'])
    assert.equal(read({ ...variables, TOKENWELL_EMULATOR: origin }).emulatorOrigin, origin)
})

test('an empty name of a claim counts as left out', () => {
  const environment = (claim: string | undefined) => read({ ...variables, TOKENWELL_CONNECTIONS_CLAIM: claim })
  assert.equal(environment('connections').connectionsClaim, 'connections')
  assert.equal('connectionsClaim' in environment(''), false)
  assert.equal('connectionsClaim' in environment(undefined), false)
})
