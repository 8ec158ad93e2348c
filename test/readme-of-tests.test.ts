import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const folder = import.meta.dirname
const readme = readFileSync(join(folder, 'README.md'), 'utf8')
const named = [...readme.matchAll(/`([a-z][\w./-]*\.(?:ts|cjs))`/g)].map(([, path = '']) => path)

test('each fixture in test/support is in the table of test/README.md', () => {
  const fixtures = globSync('support/**/*.{ts,cjs}', { cwd: folder }).map((path) => path.replaceAll('\\', '/'))
  assert.ok(fixtures.length > 20)
  assert.deepEqual(
    fixtures.filter((path) => !named.includes(path)),
    [],
  )
})

test('each file and folder that test/README.md names exists', () => {
  const folders = [...readme.matchAll(/`([a-z][\w/-]*\/)`/g)].map(([, path = '']) => path.replace(/^test\//, ''))
  assert.ok(named.length > 40 && folders.length > 10)
  assert.deepEqual(
    [...named, ...folders].filter((path) => !existsSync(join(folder, path))),
    [],
  )
})
