import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Kind, kinds, referenceAttributes } from '../../../lib/configuration/element.ts'
import { elementSchemas } from '../../../lib/configuration/element-schema.ts'
import { root } from '../../support/process/local-run.ts'

/* The reference of elements in lib/configuration/README.md, held against the schemas. */

const page = readFileSync(join(root, 'lib', 'configuration', 'README.md'), 'utf8')

interface Row {
  readonly name: string
  readonly type: string
  readonly isRequired: boolean
}

/** What is under `## <kind>`, before any heading below it. */
function sectionOf(kind: Kind): string {
  return page.split(/^#{2,3} /m).find((part) => part.startsWith(`${kind}\n`)) ?? ''
}

function tableOf(kind: Kind): readonly Row[] {
  const [header, rule, ...lines] = sectionOf(kind)
    .split('\n')
    .filter((line) => line.startsWith('|'))
  assert.equal(header, '| attribute | type | default | what it does |', `## ${kind} has a table`)
  assert.equal(rule, '| --- | --- | --- | --- |')
  return lines.map((line) => {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    assert.ok(cells.length === 4 && cells.every((cell) => cell !== ''), `a row has four columns, all filled: ${line}`)
    const [attribute = '', type = '', byDefault] = cells
    const [, name] = /^`(\w+)`$/.exec(attribute) ?? []
    assert.ok(name, `a row names an attribute: ${line}`)
    return { name, type, isRequired: byDefault === 'required' }
  })
}

for (const kind of kinds) {
  const { entries } = elementSchemas[kind]

  test(`the table of ${kind} has a row for each attribute of its schema, and no other`, () => {
    const names = tableOf(kind).map(({ name }) => name)
    assert.deepEqual(names.toSorted(), Object.keys(entries).sort())
  })

  test(`the table of ${kind} says which attributes are required`, () => {
    const required = Object.entries(entries).flatMap(([name, { type }]) => (type === 'exact_optional' ? [] : [name]))
    const told = tableOf(kind).flatMap(({ name, isRequired }) => (isRequired ? [name] : []))
    assert.deepEqual(told.toSorted(), required.sort())
  })

  test(`the table of ${kind} says which kind each reference names, and links to it`, () => {
    const references = Object.entries<Kind | readonly Kind[]>(referenceAttributes[kind]).flatMap(([name, to]) =>
      [to].flat().map((each) => [name, each] as const),
    )
    const told = tableOf(kind).flatMap(({ name, type }) => {
      if (!/^ids? of /.test(type)) return []
      return [...type.matchAll(/\[`(\w+)`\]\(#(\w+)\)/g)].map(([, to = '', anchor]) => {
        assert.equal(anchor, to.toLowerCase())
        return [name, to] as const
      })
    })
    assert.deepEqual(told.toSorted(), references.toSorted())
  })

  test(`the section of ${kind} has an example of the kind`, () => {
    assert.ok(sectionOf(kind).includes(`<!-- run: element ${kind} -->\n\`\`\`json\n`))
  })
}

test('the table of kinds lists each kind once, and links to its section', () => {
  const listed = [...page.matchAll(/^\| \[`(\w+)`\]\(#(\w+)\) \|/gm)].map(([, kind, anchor]) => [kind, anchor])
  assert.deepEqual(listed.toSorted(), kinds.map((kind) => [kind, kind.toLowerCase()]).sort())
})
