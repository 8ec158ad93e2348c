import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkPage, checkSource } from '../../../infra/prose/check-english.ts'
import { longestSentence } from '../../../infra/prose/page-rules.ts'
import { readSources } from '../../../infra/prose/source-texts.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/** Sentences that a reader must translate, and the phrase that makes each one fail. */
const translated = {
  'Who meets a stale token hands it out.': 'Who',
  "The caller's `Authorization` stays here, as does all by which he signed for AWS.": 'by which',
  'Left out is what is of one hop, and what tells of the way.': 'what is of',
  'The secret `a` has a next key that is none to what is published.': 'is none',
  'The proxy `p` opens no way there (502).': 'opens no way',
  'A header has a name that is none.': 'is none',
  'What it makes stands in `.tokenwell`.': 'stands',
  'A token is told to all that ask and who wait.': 'and who',
  'Whoever takes the lease asks.': 'Whoever',
  'The caller gets what he has a right to.': 'he',
  'It is said in the log.': 'It is said',
  'The reasons, of which there are two, are listed.': 'of which',
  'It is dropped. Of these one remains.': 'Of these',
  'A file that is no element is ignored.': 'that is no',
  'Each value is read, be it a text or a list.': 'be it a',
}

for (const [sentence, phrase] of Object.entries(translated)) {
  test(`a page fails with "${phrase}"${sentence.startsWith('A header') ? ' of a header' : ''}`, async () => {
    const found = await errorsOf(sentence)
    assert.ok(
      found.some((message) => message.startsWith(`"${phrase}"`)),
      found.join('\n'),
    )
  })
}

test('headings, list items and cells of tables are checked, each with its line', async () => {
  const page =
    '# Who asks\n\ntext\n\n- a list item stands here\n\n| a | b |\n| --- | --- |\n| whoever | that is none |\n'
  const complaints = await checkPage('page.md', page)
  assert.deepEqual(
    complaints.map(({ line, severity }) => `${line} ${severity}`),
    ['1 error', '5 error', '9 error', '9 error'],
  )
})

test('code, addresses and plain sentences pass', async () => {
  const plain = [
    'The caller, who has a token, calls the API. Who may call it? The table lists it.',
    '`Who` is a name, as is [this page](whoever/by-which.md). JWT stands for JSON Web Token.',
    'There is no token for this connection. The server understands it.',
    '```text\nWho asks stands here\n```',
  ]
  for (const text of plain) assert.deepEqual(await errorsOf(text), [], text)
})

test('a long sentence is a warning, and names its length', async () => {
  const words = (count: number) => `${'word '.repeat(count - 1)}end.`
  assert.deepEqual(await checkPage('page.md', words(longestSentence)), [])
  const [warning, ...others] = await checkPage('page.md', words(longestSentence + 1))
  assert.deepEqual(others, [])
  assert.equal(warning?.severity, 'warning')
  assert.match(warning?.message ?? '', new RegExp(`${longestSentence + 1} words`))
})

test('a comment and a title fail like a page, and name their line', async (t) => {
  const root = await temporaryFolder(t)
  mkdirSync(join(root, 'lib'))
  const source = [
    "test('those and who asks waits', () => {})",
    '/** Whoever reads this has to translate it. */',
    'const a = 1 // it stands here',
    "test('a text that is none', () => {})",
    "const notProse = 'he'",
  ]
  writeFileSync(join(root, 'lib', 'a.ts'), source.join('\n'))
  const lines = readSources(root, ['lib'])
    .flatMap(checkSource)
    .map(({ path, line }) => `${path}:${line}`)
  assert.deepEqual(lines.sort(), ['lib/a.ts:1', 'lib/a.ts:2', 'lib/a.ts:3', 'lib/a.ts:4'])
})

async function errorsOf(text: string): Promise<string[]> {
  const complaints = await checkPage('page.md', text)
  return complaints.filter(({ severity }) => severity === 'error').map(({ message }) => message)
}
