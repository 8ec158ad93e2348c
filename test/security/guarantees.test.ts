import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../support/process/local-run.ts'

/*
 * Compares SECURITY.md with the files that it names. A guard proves itself when it is taken out: its test then fails.
 */

const page = readFileSync(join(root, 'SECURITY.md'), 'utf8')
const [, section = ''] = /## What is guaranteed\n([\s\S]*?)\n## /.exec(page) ?? []
const guarantees = section
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (what \||---)/.test(line))
  .map((line) => {
    const [what = '', guard = '', tests = ''] = line.slice(2, -2).split(' | ')
    return { what, guard, tests: tests.split('<br>') }
  })

test('each guarantee is a sentence, and its guard exists: a file, or a declaration in a file', () => {
  assert.ok(guarantees.length > 40, `${guarantees.length}`)
  for (const { what, guard } of guarantees) {
    assert.match(what, /^[A-Z`].*\.$/)
    const [, path = '', name] = /^`([^`]+)`(?: \(`(\w+)`\))?$/.exec(guard) ?? []
    assert.ok(path && existsSync(join(root, path)), `${what} ${guard}`)
    if (name !== undefined)
      assert.match(readFileSync(join(root, path), 'utf8'), declarationOf(name), `${what} ${guard}`)
  }
})

test('each guarantee names tests that exist, by their titles', () => {
  for (const { what, tests } of guarantees) {
    for (const each of tests) {
      const [, path = '', title = ''] = /^`(test\/[^`]+\.test\.ts)`: (.+)$/.exec(each) ?? []
      assert.ok(path && existsSync(join(root, path)), `${what} ${each}`)
      assert.ok(
        titlesOf(path).some((found) => found.includes(title)),
        `no test of ${path} is called: ${title}`,
      )
    }
  }
})

test('every path that SECURITY.md names exists', () => {
  const paths = [...page.matchAll(/`((?:functions|lib|infra|test)\/[\w./-]*)`/g)].map(([, path = '']) => path)
  assert.ok(paths.length > 90)
  for (const path of paths) assert.ok(existsSync(join(root, path)), path)
})

/** Matches the declaration of a function, class, constant or method of that name. */
function declarationOf(name: string): RegExp {
  return new RegExp(String.raw`\b(?:function|class|const) ${name}\b|^ +(?:static |async )*${name}\(.*\{$`, 'm')
}

/** The texts between the quotes after `test(`. */
function titlesOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
  return [...text.matchAll(/\b\w*test\w*\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/gi)].map(
    ([, single, double, template]) => single ?? double ?? template ?? '',
  )
}
