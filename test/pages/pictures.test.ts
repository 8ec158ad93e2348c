import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { originOf, pictureSources, svgPathOf } from '../../infra/pictures.ts'
import { root } from '../support/process/local-run.ts'
import { readPages } from './page.ts'

const sources = pictureSources(root)

test('there is a picture for a request, a token, a key and the stack', () => {
  assert.deepEqual(
    sources.map((source) => basename(source, '.d2')),
    ['key-phases', 'stack', 'request', 'token-life'],
  )
})

for (const source of sources)
  test(`${svgPathOf(source)} is drawn from its source, for light and dark, and a page shows it`, () => {
    const path = join(root, svgPathOf(source))
    assert.ok(existsSync(path), 'Run: npm run pictures')
    const svg = readFileSync(path, 'utf8')
    assert.ok(svg.includes(originOf(root, source)), 'Run: npm run pictures')
    assert.match(svg, /prefers-color-scheme: ?dark/)
    const shown = readPages().filter(({ text }) => text.includes(basename(path)))
    assert.ok(shown.length > 0, 'No page shows it.')
  })
