import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileElements } from '../../../lib/adapters/files/file-elements.ts'
import { droppedAttributes } from '../../../lib/configuration/dropped-attributes.ts'
import { kinds } from '../../../lib/configuration/element.ts'
import { elementSchemas } from '../../../lib/configuration/element-schema.ts'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { validateElements } from '../../../lib/configuration/inspect-elements.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

const read = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')
const page = await read('lib/configuration/zos-connect.md')
const localElements: RawElements = JSON.parse(await read('infra/local/elements.json'))

const statuses = ['same', 'translated', 'not there'] as const
type Status = (typeof statuses)[number]

interface Row {
  /** Without the prefix `zosconnect_`. */
  readonly name: string
  readonly status: Status
}

const header = '| z/OS Connect | Tokenwell | status | differences |'

/** What is under `## <title>`, before any heading below it. */
function sectionOf(title: string): string {
  return page.split(/^#{2,3} /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
}

function tableOf(title: string): readonly Row[] {
  const [first, rule, ...rows] = sectionOf(title)
    .split('\n')
    .filter((line) => line.startsWith('|'))
  assert.equal(first, header, `## ${title} has a table`)
  assert.equal(rule, '| --- | --- | --- | --- |')
  return rows.map(readRow)
}

/** An attribute that Tokenwell has bears the original's name. */
function readRow(line: string): Row {
  const [original = '', own = '', given = '', differences = '', ...more] = line.split('|').slice(1, -1)
  assert.ok(differences.trim() !== '' && more.length === 0, `a row has four columns, all filled: ${line}`)

  const status = statuses.find((each) => each === given.trim())
  assert.ok(status, `a row has one of the three states: ${line}`)
  const name = /^`(?:zosconnect_)?([^`]+)`(?: \((?:unconfirmed|subelement)\))?$/.exec(original.trim())?.[1]
  assert.ok(name, `a row names the attribute of the original: ${line}`)
  const ownName = /^\[?`([^`]+)`(?:\]\(#\w+\))?$/.exec(own.trim())?.[1]
  assert.equal(ownName ?? own.trim(), status === 'not there' ? '-' : name, line)
  return { name, status }
}

/** The attributes that the original has not, as the line below a table lists them. */
function onlyInTokenwell(kind: string): string[] {
  const [, list = ''] = /^Only in Tokenwell: ((?:`\w+`(?:, )?)+)/m.exec(sectionOf(kind)) ?? []
  return [...list.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
}

function namesOf(rows: readonly Row[], ...wanted: readonly Status[]): string[] {
  return rows.filter(({ status }) => wanted.includes(status)).map(({ name }) => name)
}

function assertSameNames(actual: readonly string[], expected: readonly string[]): void {
  assert.deepEqual([...actual].sort(), [...expected].sort())
}

test('the table of kinds names every kind, and no other', () => {
  const rows = tableOf('Kinds of elements')
  assertSameNames(namesOf(rows, 'same', 'translated'), kinds)
  assertSameNames(namesOf(rows, 'not there'), [])
})

test('no attribute is refused in a kind that has no table', () => {
  for (const kind of Object.keys(droppedAttributes)) assert.ok(kind in elementSchemas, kind)
})

for (const kind of kinds) {
  test(`the table of ${kind} and the list below it name every attribute that can be set, and no other`, () => {
    // Every element may have an id: it is taken off before the schema.
    const named = [...namesOf(tableOf(kind), 'same', 'translated'), ...onlyInTokenwell(kind)]
    assertSameNames(named, ['id', ...Object.keys(elementSchemas[kind].entries)])
  })

  test(`the table of ${kind} says "not there" of each attribute that is refused for good, and of no other`, () => {
    assertSameNames(namesOf(tableOf(kind), 'not there'), Object.keys(droppedAttributes[kind] ?? {}))
  })
}

/** The block of that language, which the page says is read here. */
function blockOf(language: 'xml' | 'json'): string {
  const marker = '<!-- run: test/lib/configuration/coming-from-zos-connect.test.ts -->'
  const blocks = page.split(`${marker}\n\`\`\`${language}\n`).slice(1)
  assert.equal(blocks.length, 1, `the page has one ${language} block`)
  return blocks[0]?.split('\n```')[0] ?? ''
}

/** Each element and attribute of a server.xml as it is: without the prefix, and with a subelement as an attribute. */
function translate(serverXml: string): Record<string, Record<string, Record<string, string>>> {
  const xml = serverXml.replace(/<!--.*?-->/gs, '')
  const elements: Record<string, Record<string, Record<string, string>>> = {}
  for (const [, kind = '', written = '', content] of xml.matchAll(
    /^ {4}<(?:zosconnect_)?(\w+)([^>]*?)(?: \/>|>(.*?)^ {4}<\/\w+>)/gms,
  )) {
    const attributes = [...written.matchAll(/\s(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value])
    const subelements = [...(content ?? '').matchAll(/<(\w+)><!\[CDATA\[(.*?)\]\]><\/\1>/gs)].map(
      ([, name = '', value = '']) => [name, value],
    )
    const { id = '', ...others } = Object.fromEntries([...attributes, ...subelements])
    elements[kind] = { ...elements[kind], [id]: others }
  }
  return elements
}

async function findingsOf(t: TestContext, elements: RawElements): Promise<string[]> {
  const path = join(await temporaryFolder(t), 'elements.json')
  await writeFile(path, JSON.stringify({ ...localElements, ...elements }))
  const deployment = { stage: 'local', publicUrl: 'https://tokenwell.example', isLambda: false }
  const findings = await validateElements(fileElements(path), deployment)
  return findings.filter(({ severity }) => severity === 'mistake').map(describeFinding)
}

test("the example in JSON is what the local run's elements hold under the original's ids", () => {
  const ids = {
    jwtBuilder: 'myJWTAuthBuilder',
    oAuthTokenConfig: 'myJWTAuthConfig',
    authorizationServer: 'myAuthServer',
    oAuthConfig: 'myoAuthConfig',
    endpointConnection: 'conn',
  }
  const expected = Object.entries(ids).map(([kind, id]) => [kind, { [id]: localElements[kind]?.[id] }])
  assert.deepEqual(JSON.parse(blockOf('json')), Object.fromEntries(expected))
})

test('the example in JSON is the XML as it is, but for the two changes that the page names', () => {
  const elements = translate(blockOf('xml'))
  Object.assign(elements['endpointConnection']?.['conn'] ?? {}, { authenticationConfigRef: 'myoAuthConfig' })
  Object.assign(elements['authorizationServer']?.['myAuthServer'] ?? {}, { issuer: 'https://localhost:9443' })
  assert.deepEqual(JSON.parse(blockOf('json')), elements)
})

test("the original's reference in another case is the mistake that the page quotes", async (t) => {
  const { endpointConnection = {} } = translate(blockOf('xml'))
  assert.equal(endpointConnection['conn']?.['authenticationConfigRef'], 'myOAuthConfig')
  const [mistake, ...others] = await findingsOf(t, { endpointConnection })
  assert.deepEqual(others, [])
  assert.ok(page.includes(`\n${mistake}\n`), mistake)
})

test('with the right reference the XML as it is has no audience', async (t) => {
  const { authorizationServer = {}, endpointConnection = {} } = translate(blockOf('xml'))
  const conn = { ...endpointConnection['conn'], authenticationConfigRef: 'myoAuthConfig' }
  const [mistake, ...others] = await findingsOf(t, {
    ...localElements,
    authorizationServer: { ...localElements['authorizationServer'], ...authorizationServer },
    endpointConnection: { conn },
  })
  assert.deepEqual(others, [])
  assert.match(String(mistake), /^jwtBuilder\/myJWTAuthBuilder audiences: /)
})
