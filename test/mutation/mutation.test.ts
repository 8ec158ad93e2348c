import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { root } from '../support/process/local-run.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { changedLines, rangesIn } from './changed-lines.ts'
import { mutateFile } from './mutate-file.ts'
import { mutatedFiles, testsOf, toBeRunAgain } from './mutated-files.ts'
import { explainedSurvivors, nameOf } from './survivors.ts'

const file = 'lib/lengths.ts'
const code = `interface Limits { readonly most: number }
const limits = { most: 3 } as const satisfies Limits
export function isLong(text: string, { most }: Limits = limits): boolean {
  return text.length > most
}
export function isShort(text: string, { most }: Limits = limits): boolean {
  return text.length <= most
}
`

/** A tree with one file, and one test of it: `isLong` is tested at its limit, `isShort` only far from it. */
async function treeWith(t: TestContext, expectation = 'true'): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const each of ['lib', 'test']) await mkdir(join(folder, each))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await writeFile(join(folder, file), code)
  await writeFile(
    join(folder, 'test/lengths.test.ts'),
    `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLong, isShort } from '../lib/lengths.ts'
test('lengths', () => {
  assert.deepEqual(['abcd', 'abc'].map((text) => isLong(text)), [${expectation}, false])
  assert.deepEqual(['a', 'abcdef'].map((text) => isShort(text)), [true, false])
})
`,
  )
  return folder
}

const run = { file, mutate: [`${file}:4-4`, `${file}:7-7`], tests: ['test/lengths.test.ts'] }
const inTime = () => performance.now() + 200_000

test('a fault that a test notices is killed, and any other survives, each named by its code', async (t) => {
  const { mutants, leftOut } = await mutateFile(run, await treeWith(t), inTime())
  assert.equal(leftOut, 0)
  const namesOf = (status: string) =>
    mutants.filter((mutant) => mutant.status === status).map((mutant) => nameOf(file, code, mutant))
  assert.deepEqual(namesOf('Survived'), [
    'lib/lengths.ts: `` return text.length <= most `` -> `` return text.length < most ``',
  ])
  assert.ok(namesOf('Killed').includes('lib/lengths.ts: `` return text.length > most `` -> `` return true ``'))
  assert.equal(namesOf('Killed').length, mutants.length - 1)
})

test('tests that fail without a fault are an error', async (t) => {
  await assert.rejects(mutateFile(run, await treeWith(t, 'false'), inTime()), /lib\/lengths\.ts: .*initial test run/)
})

test('when the time is over, all mutants are left out, and no file stays behind', async (t) => {
  const folder = await treeWith(t)
  const { mutants, leftOut } = await mutateFile(run, folder, performance.now())
  assert.deepEqual([mutants, leftOut], [[], undefined])
  assert.ok(!existsSync(join(folder, '.stryker-tmp', String(process.pid))))
})

test('changed lines are those of the new side of a diff, with changes that are not committed', async (t) => {
  const folder = await treeWith(t)
  const git = (...words: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'commit.gpgsign=false', ...words], {
      cwd: folder,
    })
  git('init', '-q')
  git('add', '.')
  git('commit', '-qm', 'one')
  assert.equal(changedLines([file], folder), undefined, 'no first parent')
  await writeFile(join(folder, file), code.replace('text.length > most', 'text.length >= most'))
  git('commit', '-qam', 'two')
  await writeFile(
    join(folder, file),
    `${code.replace('text.length > most', 'text.length >= most')}export const a = 1\nexport const b = 2\n`,
  )
  assert.deepEqual(changedLines([file], folder), [
    { file, from: 4, to: 4 },
    { file, from: 9, to: 10 },
  ])
  assert.deepEqual(changedLines(['lib/other.ts'], folder), [])
  assert.deepEqual(rangesIn('+++ b/lib/a.ts\n@@ -3,2 +2,0 @@ x\n-a\n-b\n'), [], 'lines that went')
})

test('the steps that must pass before a change lands include the mutants of changed lines', () => {
  assert.match(readFileSync(join(root, '.ci/run'), 'utf8'), /^part npm run mutate -- --changed$/m)
})

test('the files that decide about tokens are found, and each has a unit test that starts no server', () => {
  const files = mutatedFiles()
  for (const each of ['lib/access-token/token.ts', 'lib/admission/admit-request.ts', 'lib/fleet/token-record.ts'])
    assert.ok(files.includes(each), each)
  assert.ok(files.length >= 22, String(files.length))
  for (const each of files) assert.ok(testsOf(each).length > 0, each)
  for (const each of toBeRunAgain) assert.ok(files.includes(each), each)
  assert.equal(testsOf('lib/access-token/token.ts')[0], 'test/lib/access-token/token.test.ts')
  const all = files.flatMap(testsOf)
  assert.ok(!all.includes('test/lib/get-token/shared-token-cache.test.ts'), 'it starts servers')
})

test('the code of every explained survivor still exists', () => {
  const explained = explainedSurvivors()
  assert.ok(explained.length > 0)
  assert.equal(new Set(explained).size, explained.length)
  for (const name of explained) {
    const [, path = '', before = ''] = /^(\S+): `` (.+?)(?: … .*)? `` -> /.exec(name) ?? []
    assert.ok(mutatedFiles().includes(path), name)
    assert.ok(readFileSync(join(root, path), 'utf8').replace(/\s+/g, ' ').includes(before), name)
  }
})

test('an explained survivor is below the heading of its file, and has a reason', () => {
  const line = '- `` a < b `` -> `` a <= b ``'
  const page = `# Survivors\n${line}: no\n## \`lib/a.ts\`\n\nWords.\n\n${line}: equal.\n${line}:\n## Next\n${line}: no\n`
  assert.deepEqual(explainedSurvivors(page), ['lib/a.ts: `` a < b `` -> `` a <= b ``'])
})
