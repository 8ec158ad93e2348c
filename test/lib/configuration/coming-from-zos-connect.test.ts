import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileElements } from '../../../lib/adapters/files/file-elements.ts'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { validateElements } from '../../../lib/configuration/inspect-elements.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/* The worked examples of lib/configuration/zos-connect.md. */

const read = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')
const page = await read('lib/configuration/zos-connect.md')
const localElements: RawElements = JSON.parse(await read('infra/local/elements.json'))

/** The blocks of that language, which the page says are read here. */
function blocksOf(language: 'xml' | 'json'): string[] {
  const marker = '<!-- run: test/lib/configuration/coming-from-zos-connect.test.ts -->'
  const blocks = page.split(`${marker}\n\`\`\`${language}\n`).slice(1)
  return blocks.map((block) => block.split('\n```')[0] ?? '')
}

type TranslatedAttribute = string | Record<string, string>
type TranslatedElements = Record<string, Record<string, Record<string, TranslatedAttribute>>>

const attributesIn = (written: string) =>
  [...written.matchAll(/\s([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value] as const)

/** Each element and attribute of a server.xml as it is: without the prefix, and with a subelement as an attribute. */
function translate(serverXml: string): TranslatedElements {
  const xml = serverXml.replace(/<!--.*?-->/gs, '')
  const elements: TranslatedElements = {}
  for (const [, kind = '', written = '', content = ''] of xml.matchAll(
    /^ {4}<(?:zosconnect_)?(\w+)([^>]*?)(?: \/>|>(.*?)^ {4}<\/\w+>)/gms,
  )) {
    const { id = '', ...attributes } = Object.fromEntries(attributesIn(written))
    elements[kind] = { ...elements[kind], [id]: { ...attributes, ...subelementsIn(content) } }
  }
  return elements
}

/** Those with a text, and those with attributes. */
function subelementsIn(content: string): Record<string, TranslatedAttribute> {
  const texts = content.matchAll(/<(\w+)><!\[CDATA\[(.*?)\]\]><\/\1>/gs)
  const objects = content.matchAll(/^ {8}<(\w+)([^>]*) \/>/gm)
  return Object.fromEntries([
    ...[...texts].map(([, name = '', text = '']) => [name, text]),
    ...[...objects].map(([, name = '', written = '']) => [name, Object.fromEntries(attributesIn(written))]),
  ])
}

const [oAuth = {}, otherServer = {}, several = {}] = blocksOf('xml').map(translate)
const [oAuthElements = {}, otherServerElements = {}, severalElements = {}] = blocksOf('json').map(
  (block): RawElements => JSON.parse(block),
)

/** The elements on top of those of the local run. */
async function findingsOf(t: TestContext, elements: RawElements): Promise<{ mistakes: string[]; warnings: string[] }> {
  const path = join(await temporaryFolder(t), 'elements.json')
  await writeFile(path, JSON.stringify({ ...localElements, ...elements }))
  const deployment = { stage: 'local', publicUrl: 'https://tokenwell.example', isLambda: false }
  const found = await validateElements(fileElements(path), deployment)
  const [mistakes, warnings] = (['mistake', 'warning'] as const).map((severity) =>
    found.filter((each) => each.severity === severity).map(describeFinding),
  )
  return { mistakes: mistakes ?? [], warnings: warnings ?? [] }
}

/** The elements of all these sets. A later one replaces an earlier one of the same kind and id. */
function together(...sets: readonly RawElements[]): RawElements {
  const all: RawElements = {}
  for (const set of sets) for (const [kind, byId] of Object.entries(set)) all[kind] = { ...all[kind], ...byId }
  return all
}

test('the page has three examples', () => {
  assert.deepEqual([blocksOf('xml').length, blocksOf('json').length], [3, 3])
})

test("the OAuth example in JSON is what the local run's elements hold under the original's ids", () => {
  const ids = {
    jwtBuilder: 'myJWTAuthBuilder',
    oAuthTokenConfig: 'myJWTAuthConfig',
    authorizationServer: 'myAuthServer',
    oAuthConfig: 'myoAuthConfig',
    endpointConnection: 'conn',
  }
  const expected = Object.entries(ids).map(([kind, id]) => [kind, { [id]: localElements[kind]?.[id] }])
  assert.deepEqual(oAuthElements, Object.fromEntries(expected))
})

test('the OAuth example in JSON is the XML as it is, but for the two changes that the page names', () => {
  assert.deepEqual(
    oAuthElements,
    changed(oAuth, {
      endpointConnection: { conn: { authenticationConfigRef: 'myoAuthConfig' } },
      authorizationServer: { myAuthServer: { issuer: 'https://localhost:9443' } },
    }),
  )
})

/** The elements with some attributes replaced or added. */
function changed(elements: RawElements, changes: RawElements): RawElements {
  const result = structuredClone(elements)
  for (const [kind, byId] of Object.entries(changes))
    for (const [id, attributes] of Object.entries(byId))
      Object.assign(result[kind]?.[id] ?? assert.fail(id), attributes)
  return result
}

test("the original's reference in another case is the mistake that the page quotes", async (t) => {
  const { endpointConnection = {} } = oAuth
  assert.equal(endpointConnection['conn']?.['authenticationConfigRef'], 'myOAuthConfig')
  const { mistakes } = await findingsOf(t, { endpointConnection })
  const [mistake, ...others] = mistakes
  assert.deepEqual(others, [])
  assert.ok(page.includes(`\n${mistake}\n`), mistake)
})

test('with the right reference the XML as it is has no audience', async (t) => {
  const { authorizationServer = {}, endpointConnection = {} } = oAuth
  const conn = { ...endpointConnection['conn'], authenticationConfigRef: 'myoAuthConfig' }
  const { mistakes } = await findingsOf(t, {
    ...localElements,
    authorizationServer: { ...localElements['authorizationServer'], ...authorizationServer },
    endpointConnection: { conn },
  })
  const [mistake, ...others] = mistakes
  assert.deepEqual(others, [])
  assert.match(String(mistake), /^jwtBuilder\/myJWTAuthBuilder audiences: /)
})

test('the example of another server in JSON is the XML as it is, but for the password', () => {
  const { tokenCredential: { password, ...user } = {} } = otherServer['authData'] ?? {}
  assert.equal(password, 'jwtpassword')
  const authData = { tokenCredential: { ...user, passwordSecret: 'tokenwell/local/jwt-password' } }
  assert.deepEqual(otherServerElements, { ...otherServer, authData })
})

test('the XML of another server as it is has no other mistake than its password, and that says where the password goes', async (t) => {
  const { mistakes } = await findingsOf(t, alone(otherServer))
  assert.deepEqual(
    mistakes.map((mistake) => mistake.replace(/: .*/s, '')),
    ['authData/tokenCredential password', 'authData/tokenCredential passwordSecret'],
  )
  assert.match(String(mistakes[0]), /write its name in passwordSecret\.$/)
})

test('the example of several tokens in JSON is the XML as it is, but for the three changes that the page names', () => {
  const ids = String(several['endpointConnection']?.['both']?.['authenticationConfigRef']).split(',')
  assert.deepEqual(
    severalElements,
    changed(several, {
      endpointConnection: { both: { authenticationConfigRef: ids } },
      authTokenLocal: { myLocalJWTConfig: { tokenSubject: 'orders' } },
      jwtBuilder: { myLocalJWTBuilder: { jti: 'false' } },
    }),
  )
})

test('the examples in JSON have no mistake and no warning, each one alone and all together', async (t) => {
  const all = [oAuthElements, otherServerElements, together(oAuthElements, otherServerElements, severalElements)]
  for (const elements of all) assert.deepEqual(await findingsOf(t, alone(elements)), { mistakes: [], warnings: [] })
})

/** The elements with the TLS settings that they name, without the other elements of the local run. */
function alone(elements: RawElements): RawElements {
  const emptied = Object.fromEntries(Object.keys(localElements).map((kind) => [kind, {}]))
  const { ssl = {}, keyStore = {} } = localElements
  return together(emptied, { ssl, keyStore }, elements)
}
