import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { inspect } from 'node:util'
import { PutParameterCommand } from '@aws-sdk/client-ssm'
import { type AwsTimeouts, defaultAwsTimeouts } from '../../../../lib/adapters/aws/aws-client.ts'
import { parameterStoreElements } from '../../../../lib/adapters/aws/parameter-store-elements.ts'
import { createConnectionCache } from '../../../../lib/configuration/connection-cache.ts'
import type { ElementReference } from '../../../../lib/configuration/element.ts'
import type { ElementStore } from '../../../../lib/configuration/element-store.ts'
import { ElementStoreError } from '../../../../lib/configuration/element-store.ts'
import { describeFinding } from '../../../../lib/configuration/finding.ts'
import { validateElements } from '../../../../lib/configuration/inspect-elements.ts'
import { resolveConnection } from '../../../../lib/configuration/resolve-connection.ts'
import {
  assertLines,
  configurationErrorOf,
  exampleIssuer,
  localDeployment,
  elementStoreOf as theFileStore,
} from '../../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../../support/elements/elements.ts'
import { type AwsAnswer, type AwsProxy, awsError, startMotoBehindProxy } from '../../../support/servers/aws-proxy.ts'
import type { Moto } from '../../../support/servers/moto.ts'
import { plainFingerprints } from '../../../support/virtual/virtual-ports.ts'

const location = 'tokenwell/local/key'

test('the example of z/OS Connect gives the same connection as from a file', async (t) => {
  await withElements(t, {}, async ({ moto, store }) => {
    const elements = exampleElements(exampleIssuer)
    await moto.putElements(elements)
    assert.deepEqual(
      await resolveConnection(store, localDeployment, 'conn'),
      await resolveConnection(await theFileStore(t, elements), localDeployment, 'conn'),
    )
    assert.deepEqual(await store.findings(), [])
  })
})

test('a connection needs one request for each level, reads only its own elements, and lists nothing', async (t) => {
  await withElements(t, {}, async ({ moto, proxy, store }) => {
    await moto.putElements(exampleElements(exampleIssuer))
    await moto.putElements({
      endpointConnection: { another: { authenticationConfigRef: 'anotherConfig' } },
      oAuthConfig: { anotherConfig: { authServerRef: 'theServer' } },
      keyStore: { anotherStore: { location } },
    })
    const pause = () => new Promise<void>(() => {})
    const fingerprints = plainFingerprints
    const parts = { elements: store, deployment: localDeployment, fingerprints, now: () => 0, pause, log() {} }
    const connections = createConnectionCache(parts)
    await connections.get('conn')
    assert.deepEqual(proxy.counts(), { GetParameters: 5 })
    assert.deepEqual(
      proxy.requests.map(({ body }) => body['Names']),
      [
        ['endpointConnection/conn'],
        ['oAuthConfig/theConfig', 'authToken/theConfig', 'authTokenLocal/theConfig', 'authData/theConfig'],
        ['authorizationServer/theServer', 'oAuthTokenConfig/theTokenConfig'],
        ['sslDefault/default', 'ssl/defaultSSLConfig', 'jwtBuilder/theBuilder', 'awsWebIdentity/theBuilder'],
        ['keyStore/theTrust'],
      ].map((names) => names.map((name) => `/tokenwell/local/${name}`)),
    )
    await connections.get('conn')
    assert.equal(proxy.requests.length, 5, 'and is kept')
  })
})

test('elements come in the order of the request, and undefined for those that do not exist', async (t) => {
  await withElements(t, {}, async ({ moto, proxy, store }) => {
    await moto.putElements({ keyStore: { a: { location: 'x' }, b: { location: 'y' } } })
    await moto.putElements({ keyStore: { other: { location: 'z' } } }, 'local-2')
    assert.deepEqual(await locations(store, ['b', 'A', 'a', 'other', 'b']), ['y', undefined, 'x', undefined, 'y'])
    assert.deepEqual(proxy.counts(), { GetParameters: 1 })
  })
})

test('25 elements of a level are three parallel requests, each name once', async (t) => {
  await withElements(t, {}, async ({ moto, proxy, store }) => {
    const ids = Array.from({ length: 25 }, (_, index) => `store-${index}`)
    await moto.putElements({ keyStore: Object.fromEntries(ids.map((id) => [id, { location: id }])) })
    assert.deepEqual(await locations(store, [...ids, ...ids]), [...ids, ...ids])
    assert.deepEqual(proxy.counts(), { GetParameters: 3 })
    assert.deepEqual(
      proxy.requests.map(({ body }) => (body['Names'] as string[]).length).sort((a, b) => b - a),
      [10, 10, 5],
    )
    proxy.answerAll('held')
    const hurried = parameterStoreElements({ stage: 'local', timeouts: { ...defaultAwsTimeouts, total: 300 } })
    await theFailure(locations(hurried, ids))
    assert.equal(proxy.requests.length, 6, 'none waited for another')
  })
})

test('elements are read again for each call', async (t) => {
  await withElements(t, {}, async ({ moto, store }) => {
    await moto.putElements({ keyStore: { a: { location: 'x' } } })
    assert.deepEqual(await locations(store, ['a', 'b']), ['x', undefined])
    await moto.putElements({ keyStore: { a: { location: 'y' }, b: { location: 'z' } } })
    assert.deepEqual(await locations(store, ['a', 'b']), ['y', 'z'])
  })
})

test('an encrypted parameter is an element like any other', async (t) => {
  await withElements(t, {}, async ({ moto, store }) => {
    await putParameter(moto, 'keyStore/a', JSON.stringify({ location }), 'SecureString')
    assert.deepEqual(await locations(store, ['a']), [location])
    assert.deepEqual(await store.ids('keyStore'), ['a'])
  })
})

test('an invalid id needs no request, and does not affect the others', async (t) => {
  await withElements(t, {}, async ({ moto, proxy, store }) => {
    await moto.putElements({ keyStore: { a: { location: 'x' } } })
    const bad = ['', 'a b', 'a/b', '../a', '.', '..', 'ä', 'a:1', 'x'.repeat(129)]
    assert.deepEqual(
      await locations(store, bad),
      bad.map(() => undefined),
    )
    assert.deepEqual(await locations(store, []), [])
    assert.deepEqual(proxy.requests, [])
    assert.deepEqual(await locations(store, [...bad, 'a']), [...bad.map(() => undefined), 'x'])
  })
})

test('a byte order mark before an element is ignored', async (t) => {
  await withElements(t, {}, async ({ moto, store }) => {
    await putParameter(moto, 'keyStore/a', `\ufeff${JSON.stringify({ location })}`)
    assert.deepEqual(await locations(store, ['a']), [location])
  })
})

test('a parameter without valid JSON is a mistake with line and column, and is not quoted', async (t) => {
  await withElements(t, {}, async ({ moto, store }) => {
    await putParameter(moto, 'ssl/broken', '{ "hunter2 ')
    await putParameter(moto, 'ssl/twice', '{ "sslProtocol": "TLSv1.2", "sslProtocol": "TLSv1.3" }')
    await putParameter(moto, 'ssl/list', '["hunter2"]')
    await moto.putElements({ ssl: { wrong: { sslProtocoll: 'TLSv1.2' } } })
    const ids = ['broken', 'twice', 'list', 'wrong']
    const readings = await store.get(ids.map((id) => ({ kind: 'ssl', id }) as const))
    const lines = readings.flatMap((reading) => reading?.findings.map(describeFinding) ?? [])
    assertLines(lines, [
      /^ssl\/broken: Its parameter does not contain valid JSON: .*at line 1, column 3\.$/,
      /^ssl\/twice: Its parameter does not contain valid JSON: the name "sslProtocol" occurs twice/,
      /^ssl\/list: It must be a JSON object\. The value is a list\.$/,
      /^ssl\/wrong sslProtocoll: There is no such attribute\. Did you mean sslProtocol\?$/,
    ])
    assert.doesNotMatch(lines.join(), /hunter2/)
  })
})

test('all ids of a kind are listed, ten on each page', async (t) => {
  await withElements(t, {}, async ({ moto, proxy, store }) => {
    const ids = Array.from({ length: 23 }, (_, index) => `store-${index}`)
    await moto.putElements({ keyStore: Object.fromEntries(ids.map((id) => [id, { location }])) })
    await moto.putElements({ ssl: { another: {} }, keyStoreOld: { another: {} } })
    await moto.putElements({ keyStore: { another: { location } } }, 'local-2')
    for (let index = 0; index < 8; index++) await putParameter(moto, `keyStore/deeper/store-${index}`, '{}')
    assert.deepEqual((await store.ids('keyStore')).toSorted(), ids.toSorted())
    assert.deepEqual(proxy.counts(), { GetParametersByPath: 3 })
    assert.deepEqual(await store.ids('jwtBuilder'), [])
  })
})

test('a page may be empty without being the last one', async (t) => {
  await withElements(t, {}, async ({ moto, proxy, store }) => {
    await moto.putElements({ keyStore: { a: { location } } })
    proxy.answerNext({ status: 200, body: { Parameters: [], NextToken: '0' } })
    assert.deepEqual(await store.ids('keyStore'), ['a'])
    assert.equal(proxy.requests[1]?.body['NextToken'], '0')
  })
})

test('the error for an unknown reference suggests the most similar id', async (t) => {
  await withElements(t, {}, async ({ moto, store }) => {
    await moto.putElements(exampleElements(exampleIssuer, { oAuth: { authServerRef: 'theserver' } }))
    const { message } = await configurationErrorOf(resolveConnection(store, localDeployment, 'conn'))
    assert.match(
      message,
      /There is no authorizationServer element with the id "theserver"\. Did you mean "theServer"\?/,
    )
  })
})

test('all unknown kinds, invalid ids and names that are not elements are found', async (t) => {
  await withElements(t, {}, async ({ moto, proxy, store }) => {
    const many = Array.from({ length: 12 }, (_, index) => [`store-${index}`, { location }] as const)
    await moto.putElements({
      keyStore: { ...Object.fromEntries(many), [`a${'x'.repeat(128)}`]: { location }, '..': { location } },
      sslDefault: { default: { sslRef: 'theSsl' }, another: { sslRef: 'theSsl' } },
      ssl: { theSsl: {} },
      keyStores: { a: {}, b: {} },
      zosconnect_oAuthConfig: { a: {} },
      zebra: { a: {} },
    })
    await moto.putElements({ unknown: { a: {} } }, 'local-2')
    await putParameter(moto, 'settings', '{}')
    await putParameter(moto, 'keyStore/deeper/a', '{}')
    const findings = await store.findings()
    assertLines(
      findings.map(({ severity, sentence }) => `${severity}: ${sentence}`),
      [
        /^mistake: keyStore\/"ax{128}": An id has at most 128 characters: letters, digits, _ \. and -, not dots alone\.$/,
        /^mistake: keyStore\/"\.\.": An id has at most 128 characters: letters, /,
        /^mistake: sslDefault\/another: There can be only one sslDefault element\. Its id must be default\.$/,
        /^mistake: keyStores: There is no such kind of element\. Did you mean keyStore\?$/,
        /^mistake: zosconnect_oAuthConfig: There is no such kind of element\. Did you mean oAuthConfig\?$/,
        /^mistake: zebra: There is no such kind of element\. The kinds are endpointConnection, /,
        /^warning: The parameter \/tokenwell\/local\/settings is ignored because its name does not have the form \/tokenwell\/local\/<kind>\/<id>\.$/,
        /^warning: The parameter \/tokenwell\/local\/keyStore\/deeper\/a is ignored because its name does not have the form \/tokenwell\/local\/<kind>\/<id>\.$/,
      ],
    )
    assert.ok(Number(proxy.counts()['GetParametersByPath']) > 1)
    assert.deepEqual((await store.ids('keyStore')).toSorted(), many.map(([id]) => id).toSorted())
  })
})

test('a stage without elements is a mistake', async (t) => {
  await withElements(t, {}, async ({ moto, store }) => {
    await moto.putElements({ ssl: { a: {} } }, 'prod')
    assert.deepEqual(await store.findings(), [
      { severity: 'mistake', sentence: 'There is no element under /tokenwell/local. Create at least one.' },
    ])
  })
})

test('a stage is validated like a file', async (t) => {
  await withElements(t, {}, async ({ moto, store }) => {
    const elements: RawElements = {
      ...exampleElements(exampleIssuer),
      zebra: { a: {} },
      ssl: { unused: { sslProtocol: 'x' } },
    }
    await moto.putElements(elements)
    const fromFile = await validateElements(await theFileStore(t, elements), localDeployment)
    assert.ok(fromFile.length > 1)
    assert.deepEqual(
      (await validateElements(store, localDeployment)).map(describeFinding).toSorted(),
      fromFile.map(describeFinding).toSorted(),
    )
  })
})

test('the error for a missing right names the action and the path to allow', async (t) => {
  await withElements(t, {}, async ({ proxy, store }) => {
    for (const [ask, action, path] of [
      [() => locations(store, ['a']), 'ssm:GetParameters', '/tokenwell/local/*'],
      [() => store.ids('keyStore'), 'ssm:GetParametersByPath', '/tokenwell/local'],
      [() => store.findings(), 'ssm:GetParametersByPath', '/tokenwell/local'],
    ] as const)
      for (const name of ['AccessDeniedException', 'InvalidKeyId', 'ExpiredTokenException']) {
        proxy.answerNext(awsError(400, name, 'hunter2'))
        const error = await theFailure(ask())
        assert.equal(error.code, 'elements_denied')
        assert.equal(error.isPassing, false)
        assert.equal(
          error.message,
          `The elements cannot be read (${name}). Allow ${action} on the parameter ${path}, and kms:Decrypt on the key if you encrypt them with your own. Check that the credentials are valid.`,
        )
      }
    assert.equal(proxy.requests.length, 9)
  })
})

test('without credentials no request is sent', async (t) => {
  await withElements(t, {}, async ({ proxy, store }) => {
    delete process.env['AWS_ACCESS_KEY_ID']
    const error = await theFailure(locations(store, ['a']))
    assert.equal(error.code, 'elements_denied')
    assert.match(error.message, /\(CredentialsProviderError\)/)
    assert.deepEqual(proxy.requests, [])
  })
})

test('throttled and failed requests are retried, in a listing for each page', async (t) => {
  t.mock.method(Math, 'random', () => 0.05)
  await withElements(t, {}, async ({ moto, proxy, store }) => {
    const ids = Array.from({ length: 11 }, (_, index) => `store-${index}`)
    await moto.putElements({ keyStore: Object.fromEntries(ids.map((id) => [id, { location: id }])) })
    proxy.answerNext(awsError(400, 'ThrottlingException'), awsError(500, 'InternalServerError'), 'reset')
    assert.deepEqual(await locations(store, ids), ids)
    assert.equal(proxy.requests.length, 5)

    proxy.answerNext(awsError(400, 'ThrottlingException'), 'reset')
    assert.deepEqual((await store.ids('keyStore')).toSorted(), ids.toSorted())
    assert.deepEqual(proxy.counts(), { GetParameters: 5, GetParametersByPath: 4 })
  })
})

test('throttling and outages beyond the time limit are passing errors', async (t) => {
  t.mock.method(Math, 'random', () => 0.05)
  const answers: readonly (readonly [AwsAnswer, ElementStoreError['code'], RegExp])[] = [
    [awsError(400, 'ThrottlingException'), 'elements_throttled', /Parameter Store throttles requests\./],
    [awsError(500, 'InternalServerError'), 'elements_unreachable', /Check that Parameter Store can be reached/],
    ['reset', 'elements_unreachable', /cannot be read now/],
    ['held', 'elements_unreachable', /cannot be read now/],
    ['held in the middle', 'elements_unreachable', /cannot be read now/],
  ]
  for (const [answer, code, sentence] of answers)
    await withElements(t, { timeouts: { total: 700 } }, async ({ proxy, store }) => {
      proxy.answerAll(answer)
      const ids = Array.from({ length: 25 }, (_, index) => `store-${index}`)
      for (const ask of [() => locations(store, ids), () => store.ids('ssl'), () => store.findings()]) {
        const startedAt = performance.now()
        const error = await theFailure(ask())
        const milliseconds = performance.now() - startedAt
        assert.equal(error.code, code)
        assert.equal(error.isPassing, true)
        assert.match(error.message, sentence)
        assert.match(error.message, /under \/tokenwell\/local/)
        assert.ok(milliseconds < 8_000, `${milliseconds} ms`)
      }
    })
})

test('an attempt without an answer ends, and a later attempt can succeed', async (t) => {
  await withElements(t, { timeouts: { answer: 100 } }, async ({ moto, proxy, store }) => {
    await moto.putElements({ keyStore: { a: { location } } })
    proxy.answerNext('held')
    assert.deepEqual(await locations(store, ['a']), [location])
  })
})

test('the error for an unreadable answer does not quote it', async (t) => {
  await withElements(t, {}, async ({ proxy, store }) => {
    proxy.answerNext({ status: 200, body: '{"Parameters":[{"Value":"hunter2' })
    const error = await theFailure(locations(store, ['a']))
    assert.equal(error.code, 'elements_unreachable')
    assert.doesNotMatch(inspect(error, { showHidden: true, depth: 9 }), /hunter2/)
  })
})

test('an error caused by a defect of Tokenwell is thrown on unchanged', async (t) => {
  await withElements(t, {}, async ({ proxy, store }) => {
    for (const name of ['ValidationException', 'InvalidNextToken', 'ResourceNotFoundException']) {
      proxy.answerNext(awsError(400, name))
      await assert.rejects(locations(store, ['a']), { name })
    }
    assert.equal(proxy.requests.length, 3)
  })
})

test('the SDK reads the environment at the first call, and connections are reused', async (t) => {
  const store = parameterStoreElements({ stage: 'local' })
  await withElements(t, {}, async ({ moto, proxy }) => {
    await moto.putElements({ keyStore: { a: { location } } })
    for (let count = 0; count < 10; count++) {
      assert.deepEqual(await locations(store, ['a']), [location])
      await pause(2)
    }
    assert.ok(proxy.connections().made < 5)
  })
})

interface TheElementsOfAws {
  readonly moto: Moto
  readonly proxy: AwsProxy
  readonly store: ElementStore
}

interface TheOptions {
  readonly timeouts?: Partial<AwsTimeouts>
}

/** A store that reaches moto through a proxy. Without moto the test is skipped. */
async function withElements(
  t: TestContext,
  { timeouts }: TheOptions,
  use: (parts: TheElementsOfAws) => Promise<void>,
): Promise<void> {
  const started = await startMotoBehindProxy(t)
  if (!started) return
  const { moto, proxy } = started
  const store = parameterStoreElements({
    stage: 'local',
    ...(timeouts && { timeouts: { ...defaultAwsTimeouts, ...timeouts } }),
  })
  await use({ moto, proxy, store })
}

/** The locations of these key stores. */
async function locations(store: ElementStore, ids: readonly string[]): Promise<(string | undefined)[]> {
  const references = ids.map((id): ElementReference<'keyStore'> => ({ kind: 'keyStore', id }))
  const readings = await store.get(references)
  for (const [index, reading] of readings.entries()) if (reading) assert.deepEqual(reading.reference, references[index])
  return readings.map((reading) => (reading?.element as { location?: string } | undefined)?.location)
}

async function putParameter(
  { parameterStore }: Moto,
  path: string,
  Value: string,
  Type: 'String' | 'SecureString' = 'String',
): Promise<void> {
  await parameterStore.send(new PutParameterCommand({ Name: `/tokenwell/local/${path}`, Value, Type }))
}

async function theFailure(failing: Promise<unknown>): Promise<ElementStoreError> {
  const error: unknown = await failing.then(
    () => assert.fail('they were read'),
    (reason: unknown) => reason,
  )
  assert(error instanceof ElementStoreError, inspect(error))
  assert.equal(error.cause, undefined)
  assert.doesNotMatch(error.message, /hunter2/)
  return error
}
