import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileElements } from '../../../lib/adapters/files/file-elements.ts'
import { droppedAttributes, droppedKinds } from '../../../lib/configuration/dropped-attributes.ts'
import { kinds } from '../../../lib/configuration/element.ts'
import { elementSchemas } from '../../../lib/configuration/element-schema.ts'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { validateElements } from '../../../lib/configuration/inspect-elements.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

const read = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')
const readme = await read('lib/configuration/README.md')
const localElements: RawElements = JSON.parse(await read('infra/local/elements.json'))

type Standing = 'here' | 'no place here'

interface Row {
  readonly name: string
  readonly standing: Standing
}

const header = '| original | here | same or different, and why |'

/** The table under `### <title>`. */
function tableOf(title: string): readonly Row[] {
  const section = readme.split(/^#{2,3} /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
  const [first, rule, ...rows] = section.split('\n').filter((line) => line.startsWith('|'))
  assert.equal(first, header, `### ${title} has a table`)
  assert.equal(rule, '| --- | --- | --- |')
  return rows.map(readRow)
}

/** An attribute that is here bears the original's name, or the original has none like it (`-`). */
function readRow(line: string): Row {
  const [original = '', here = '', why = '', ...more] = line.split('|').slice(1, -1)
  assert.ok(why.trim() !== '' && more.length === 0, `a row has three columns, all filled: ${line}`)

  const parts = /^(?:`(?<own>[^`]+)`)?(?:, )?(?<absence>no place here)?$/.exec(here.trim())?.groups
  const theirs = /^`(?:zosconnect_)?([^`]+)`/.exec(original.trim())?.[1]
  const name = parts?.['own'] ?? theirs
  assert.ok(parts && name, `a row says what the attribute is here: ${line}`)
  assert.equal(theirs ?? '-', original.trim() === '-' ? '-' : name, line)
  return { name, standing: (parts['absence'] as Standing | undefined) ?? 'here' }
}

function namesOf(rows: readonly Row[], standing: Standing): string[] {
  return rows.filter((row) => row.standing === standing).map(({ name }) => name)
}

function assertSameNames(actual: readonly string[], expected: readonly string[]): void {
  assert.deepEqual([...actual].sort(), [...expected].sort())
}

test('the table of kinds names every kind that is here or has no place, and no other', () => {
  const rows = tableOf('Kinds of elements')
  assertSameNames(namesOf(rows, 'here'), kinds)
  assertSameNames(namesOf(rows, 'no place here'), Object.keys(droppedKinds))
})

test('no attribute is refused in a kind that has no table', () => {
  for (const kind of Object.keys(droppedAttributes)) assert.ok(kind in elementSchemas, kind)
})

for (const kind of kinds) {
  test(`the table of ${kind} names every attribute that can be set, and no other`, () => {
    // An id may stand in every element: it is taken off before the schema.
    assertSameNames(namesOf(tableOf(kind), 'here'), ['id', ...Object.keys(elementSchemas[kind].entries)])
  })

  test(`the table of ${kind} says "no place here" of what is refused for good, and of nothing else`, () => {
    assertSameNames(namesOf(tableOf(kind), 'no place here'), Object.keys(droppedAttributes[kind] ?? {}))
  })
}

/** The JSON blocks of the page, one element each, put together. */
function exampleElements(): RawElements {
  const blocks = [...readme.matchAll(/^```json\n(.*?)^```$/gms)].map(([, json = '']): RawElements => JSON.parse(json))
  return Object.assign({}, ...blocks)
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
  assert.deepEqual(exampleElements(), Object.fromEntries(expected))
})

test("the original's reference in another case is the mistake that the page quotes", async (t) => {
  const folder = await temporaryFolder(t)
  const conn = { authenticationConfigRef: 'myOAuthConfig' }
  const path = join(folder, 'elements.json')
  await writeFile(path, JSON.stringify({ ...localElements, endpointConnection: { conn } }))

  const deployment = { stage: 'local', publicUrl: 'https://tokenwell.example', isLambda: false }
  const findings = await validateElements(fileElements(path), deployment)
  const [mistake, ...others] = findings.filter(({ severity }) => severity === 'mistake').map(describeFinding)
  assert.deepEqual(others, [])
  assert.ok(readme.includes(`\n${mistake}\n`), mistake)
})
