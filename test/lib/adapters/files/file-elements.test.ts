import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileElements } from '../../../../lib/adapters/files/file-elements.ts'
import { describeFinding } from '../../../../lib/configuration/finding.ts'
import { resolveConnection } from '../../../../lib/configuration/resolve-connection.ts'
import {
  assertLines,
  configurationErrorOf,
  exampleIssuer,
  findingsOf,
  localDeployment,
  resolveConn,
} from '../../../support/elements/element-store.ts'
import { exampleElements } from '../../../support/elements/elements.ts'
import { temporaryFolder } from '../../../support/process/temporary-folder.ts'

test('the error for an unknown kind suggests the most similar kind or lists all kinds', async (t) => {
  const elements = {
    zosconnect_oAuthConfig: {},
    oauthconfig: {},
    jwtBuilders: {},
    zosconnect_authData: {},
    zebra: {},
    constructor: {},
    toString: {},
  }
  assertLines(await findingsOf(t, elements), [
    /^zosconnect_oAuthConfig: There is no such kind of element\. Did you mean oAuthConfig\?$/,
    /^oauthconfig: There is no such kind of element\. Did you mean oAuthConfig\?$/,
    /^jwtBuilders: There is no such kind of element\. Did you mean jwtBuilder\?$/,
    /^zosconnect_authData: There is no such kind of element\. Did you mean authData\?$/,
    /^zebra: There is no such kind of element\. The kinds are endpointConnection, oAuthConfig, /,
    /^constructor: There is no such kind of element\. /,
    /^toString: There is no such kind of element\. /,
  ])
})

test('$schema, which names the schema for editors, is ignored', async (t) => {
  assert.deepEqual(await findingsOf(t, { $schema: '../elements.schema.json', ssl: { a: {} } } as never), [])
})

test('a kind that is not an object of elements by id is a mistake', async (t) => {
  assertLines(await findingsOf(t, { keyStore: [], ssl: 'x', authData: null } as never), [
    /^keyStore must be an object with one member for each element: \{ id: element \}\.$/,
    /^ssl must be an object/,
    /^authData must be an object/,
  ])
})

test('an id has letters, digits, _ . and -, and cannot lead out of a path', async (t) => {
  const bad = ['', 'a b', 'a/b', '../a', '.', '..', 'ä', 'a\n', 'a:b', 'x'.repeat(129)]
  const good = ['a', 'A-1', 'a.b_c', '..a', '__proto__', 'constructor', 'x'.repeat(128)]
  const location = 'tokenwell/local/key'
  const keyStore = Object.fromEntries([...bad, ...good].map((id) => [id, { location }]))
  const path = join(await temporaryFolder(t, { 'elements.json': JSON.stringify({ keyStore }) }), 'elements.json')

  const store = fileElements(path)
  assert.deepEqual(
    (await store.findings()).map(({ sentence }) => sentence),
    bad.map(
      (id) =>
        `keyStore/${JSON.stringify(id)}: An id has at most 128 characters: letters, digits, _ . and -, not dots alone.`,
    ),
  )
  assert.deepEqual(await store.ids('keyStore'), good)
  for (const id of good) {
    const [reading] = await store.get([{ kind: 'keyStore', id }])
    assert.deepEqual(reading?.element, { location })
  }
  assert.deepEqual(
    await store.get(bad.map((id) => ({ kind: 'keyStore', id }) as const)),
    bad.map(() => undefined),
  )
})

test('there can be only one sslDefault, and its id is default', async (t) => {
  const elements = { ssl: { theSsl: {} }, sslDefault: { default: { sslRef: 'theSsl' }, another: { sslRef: 'theSsl' } } }
  assertLines(await findingsOf(t, elements), [/^sslDefault\/another: .*Its id must be default/])
})

test('elements come in the order of the request, and undefined for those that do not exist', async (t) => {
  const path = await writeElements(t, { keyStore: { a: { location: 'x' }, b: { location: 'y' } } })
  const readings = await fileElements(path).get([
    { kind: 'keyStore', id: 'b' },
    { kind: 'keyStore', id: 'A' },
    { kind: 'ssl', id: 'a' },
    { kind: 'keyStore', id: 'a' },
  ])
  assert.deepEqual(
    readings.map((reading) => reading?.element),
    [{ location: 'y' }, undefined, undefined, { location: 'x' }],
  )
})

test('a file without valid JSON is a mistake with line and column, and is not quoted', async (t) => {
  const broken: readonly (readonly [string, RegExp])[] = [
    ['{\n  "keyStore": {\n    "hunter2": }\n}', /value expected at line 3, column 16\.$/],
    ['{ "keyStore": hunter2 }', /invalid symbol at line 1, column 15\.$/],
    ['{ "keyStore": {}, }', /at line 1, column 19\.$/],
    ['// hunter2\n{}', /invalid comment token at line 1, column 1\.$/],
    ['', /value expected at line 1, column 1\.$/],
    ['{ "keyStore": { "hunter2', /at line 1, column 17\.$/],
  ]
  for (const [text, place] of broken) {
    const folder = await temporaryFolder(t, { 'elements.json': text })
    const path = join(folder, 'elements.json')
    const { message } = await failure(path)
    assert(message.startsWith(`${path} does not contain valid JSON: `), message)
    assert.match(message, place)
    assert.doesNotMatch(message, /hunter2/)
  }
})

test('a name that occurs twice is a mistake, because one of the two elements would be lost', async (t) => {
  const texts: readonly (readonly [string, RegExp])[] = [
    [
      '{ "keyStore": { "a": { "location": "x" },\n  "a": {} } }',
      /the name "a" occurs twice, the second time at line 2, column 3/,
    ],
    ['{ "keyStore": {}, "keyStore": {} }', /the name "keyStore" occurs twice/],
    ['{ "keyStore": {}, "key\\u0053tore": {} }', /the name "keyStore" occurs twice/],
    ['{ "oAuthConfig": { "a": { "parameters": { "b": "1", "b": "2" } } } }', /the name "b" occurs twice/],
  ]
  for (const [text, pattern] of texts) {
    const folder = await temporaryFolder(t, { 'elements.json': text })
    assert.match((await failure(join(folder, 'elements.json'))).message, pattern)
  }
})

test('JSON that is not an object is a mistake that says the expected form', async (t) => {
  for (const text of ['[]', '"hunter2"', 'null', '5']) {
    const folder = await temporaryFolder(t, { 'elements.json': text })
    const { message } = await failure(join(folder, 'elements.json'))
    assert.match(message, /must contain a JSON object of the form \{ kind: \{ id: element \} \}\.$/)
    assert.doesNotMatch(message, /hunter2/)
  }
})

test('a missing file is a mistake that names its path, and is read once it exists', async (t) => {
  const path = join(await temporaryFolder(t, {}), 'elements.json')
  const store = fileElements(path)
  for (const ask of [() => store.findings(), () => store.ids('ssl'), () => store.get([{ kind: 'ssl', id: 'a' }])]) {
    const { message } = await configurationErrorOf(ask())
    assert.equal(message, `${path} cannot be read (ENOENT). It must be a JSON file or a folder.`)
  }
  await writeFile(path, '{ "ssl": { "a": {} } }')
  assert.deepEqual(await store.ids('ssl'), ['a'])
})

test('a file is read once and kept', async (t) => {
  const path = await writeElements(t, { ssl: { a: {} } })
  const store = fileElements(path)
  assert.deepEqual(await store.ids('ssl'), ['a'])
  await writeFile(path, '{ "ssl": { "b": {} } }')
  assert.deepEqual(await store.ids('ssl'), ['a'])
})

test('a folder with a file for each element gives the same connection as one file', async (t) => {
  const elements = exampleElements(exampleIssuer)
  const texts = Object.entries(elements).flatMap(([kind, byId]) =>
    Object.entries(byId).map(([id, element]) => [`${kind}/${id}.json`, JSON.stringify(element)] as const),
  )
  const folder = await temporaryFolder(t, {
    ...Object.fromEntries(texts),
    'README.md': 'not an element',
    'keyStore/notes.txt': 'not an element either',
  })
  const store = fileElements(folder)
  const { warnings: _warnings, ...connection } = await resolveConn(t, elements)
  assert.deepEqual(await resolveConnection(store, localDeployment, 'conn'), connection)
  const findings = await store.findings()
  assert.ok(findings.every(({ severity }) => severity === 'warning'))
  assertLines(
    findings.map(({ sentence }) => sentence),
    [
      /README\.md is ignored because it is not a folder named after a kind/,
      /notes\.txt is ignored because it is not a file <id>\.json/,
    ],
  )
  assert.deepEqual(await store.ids('keyStore'), ['theTrust'])
})

test('the mistakes of a folder name unknown kinds, invalid ids and files without valid JSON', async (t) => {
  const folder = await temporaryFolder(t, { 'keyStores/a.json': '{}', 'keyStore/a b.json': '{}' })
  const sentences = (await fileElements(folder).findings()).map(({ sentence }) => sentence)
  assertLines(sentences, [/^keyStores: .*Did you mean keyStore\?/, /^keyStore\/"a b": An id has/])

  await mkdir(join(folder, 'ssl'))
  const path = join(folder, 'ssl', 'theSsl.json')
  await writeFile(path, '{ "hunter2 ')
  const store = fileElements(folder)
  const [broken, fine] = await store.get([
    { kind: 'ssl', id: 'theSsl' },
    { kind: 'keyStore', id: 'a' },
  ])
  const lines = broken?.findings.map(describeFinding) ?? []
  assertLines(lines, [/^ssl\/theSsl: Its file does not contain valid JSON: .*at line 1/])
  assert.doesNotMatch(lines.join(), /hunter2/)
  assert.equal(fine, undefined, 'and hides no other')
})

async function writeElements(t: TestContext, elements: object): Promise<string> {
  return join(await temporaryFolder(t, { 'elements.json': JSON.stringify(elements) }), 'elements.json')
}

/** The error of every call to the store. */
function failure(path: string) {
  return configurationErrorOf(fileElements(path).findings())
}

const valid = JSON.stringify(exampleElements(exampleIssuer), undefined, 2)

test('a byte order mark at the start of a file is ignored, also in a folder', async (t) => {
  const whole = await temporaryFolder(t, { 'elements.json': `\ufeff${valid}` })
  await resolveConnection(fileElements(join(whole, 'elements.json')), localDeployment, 'conn')

  const files = Object.entries(exampleElements(exampleIssuer)).flatMap(([kind, byId]) =>
    Object.entries(byId).map(([id, element]) => [`${kind}/${id}.json`, `\ufeff${JSON.stringify(element)}`] as const),
  )
  const folder = await temporaryFolder(t, Object.fromEntries(files))
  await resolveConnection(fileElements(folder), localDeployment, 'conn')
})

for (const [encoding, bytes, complaint] of [
  [
    'UTF-16 with a byte order mark',
    Buffer.from(`\ufeff${valid}`, 'utf16le'),
    /does not contain valid JSON: it is UTF-16, .* save it as UTF-8\.$/,
  ],
  [
    'UTF-16 without one',
    Buffer.from(valid, 'utf16le'),
    /does not contain valid JSON: it is UTF-16, .* save it as UTF-8\.$/,
  ],
  [
    'UTF-16, big-endian',
    Buffer.from(`\ufeff${valid}`, 'utf16le').swap16(),
    /does not contain valid JSON: it is UTF-16, /,
  ],
  [
    'ISO-8859-1',
    Buffer.from(valid.replaceAll('theClient', 'Käufer'), 'latin1'),
    /does not contain valid JSON: it is not UTF-8; save it as UTF-8\.$/,
  ],
] as const)
  test(`the mistake for a file in ${encoding} names the encoding`, async (t) => {
    const folder = await temporaryFolder(t, { 'elements.json': bytes })
    const elements = fileElements(join(folder, 'elements.json'))
    const error = await configurationErrorOf(resolveConnection(elements, localDeployment, 'conn'))
    assert.match(error.message, complaint)
  })
