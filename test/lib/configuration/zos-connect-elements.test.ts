import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { tokenRequest, tokenResponse } from '../../../lib/configuration/auth-token-schema.ts'
import { droppedAttributes } from '../../../lib/configuration/dropped-attributes.ts'
import { kinds } from '../../../lib/configuration/element.ts'
import { elementSchemas } from '../../../lib/configuration/element-schema.ts'

/* The tables of lib/configuration/zos-connect-elements.md name every attribute. */

const page = await readFile(new URL('../../../lib/configuration/zos-connect-elements.md', import.meta.url), 'utf8')

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

const ownKinds = onlyInTokenwell('Kinds of elements')

test('the table of kinds and the list below it name every kind, and no other', () => {
  const rows = tableOf('Kinds of elements')
  assertSameNames([...namesOf(rows, 'same', 'translated'), ...ownKinds], kinds)
  assertSameNames(namesOf(rows, 'not there'), [])
})

test('no attribute is refused in a kind that has no table', () => {
  for (const kind of Object.keys(droppedAttributes)) assert.ok(kind in elementSchemas, kind)
})

for (const kind of kinds.filter((each) => !ownKinds.includes(each))) {
  test(`the table of ${kind} and the list below it name every attribute that can be set, and no other`, () => {
    // Every element may have an id: it is taken off before the schema.
    const named = [...namesOf(tableOf(kind), 'same', 'translated'), ...onlyInTokenwell(kind)]
    assertSameNames(named, ['id', ...Object.keys(elementSchemas[kind].entries)])
  })

  test(`the table of ${kind} says "not there" of each attribute that is refused for good, and of no other`, () => {
    assertSameNames(namesOf(tableOf(kind), 'not there'), Object.keys(droppedAttributes[kind] ?? {}))
  })
}

for (const [member, { entries }] of Object.entries({ tokenRequest, tokenResponse }))
  test(`the table of ${member} and the list below it name every member, and no other`, () => {
    const named = [...namesOf(tableOf(member), 'same', 'translated'), ...onlyInTokenwell(member)]
    assertSameNames(named, Object.keys(entries))
    assertSameNames(namesOf(tableOf(member), 'not there'), [])
  })
