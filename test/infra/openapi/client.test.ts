import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readPage } from '../../pages/page.ts'
import { root, runShell, startServing } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/*
 * A client that oazapfts generates from functions/openapi.json calls the local run. functions/README.md has the command and the
 * program.
 */

const page = readPage('README.md', readFileSync(join(root, 'functions', 'README.md'), 'utf8'))
const [command = '', program = ''] = page.blocks
  .filter(({ marker }) => marker?.kind === 'test' && marker.path === 'test/infra/openapi/client.test.ts')
  .map(({ text }) => text.trim())

test('a generated client gets a token, a typed error, the connections and an API call from the local run', async (t) => {
  const { url } = await startServing(t, { TOKENWELL_FOLDER: await temporaryFolder(t) })
  const folder = await generateClient(t)
  await writeFile(join(folder, 'program.ts'), program.replaceAll('http://127.0.0.1:8787', url))
  assert.deepEqual(await compile(folder), { status: 0, output: '' })

  const { status, output } = await runShell(`${process.execPath} ${join(folder, 'program.ts')}`)
  assert.equal(status, 0, output)
  assert.deepEqual(output.trim().split('\n'), ['Bearer true', '404 invalid_request', 'conn', '200 tea', '204'])
})

test('the types of a generated client tell answers from errors', async (t) => {
  const folder = await generateClient(t)
  const mistakes = [
    "const issued = await tokenwell.issueToken('conn'); issued.data.access_token",
    "const issued = await tokenwell.issueToken('conn', { scope: ['read'] })",
    "const issued = await tokenwell.issueToken('conn'); if (issued.status === 418) issued.data",
    'const listed = await tokenwell.listConnections(); if (listed.status === 200) listed.data.connections[0].secret',
    "await tokenwell.rejectToken('conn')",
  ]
  for (const [index, mistake] of mistakes.entries())
    await writeFile(
      join(folder, `mistake-${index}.ts`),
      `import * as tokenwell from './client.ts'\n\n// @ts-expect-error\n${mistake}\n`,
    )
  assert.deepEqual(await compile(folder), { status: 0, output: '' })
})

/** In a folder of this repository, so that its imports are found. */
async function generateClient(t: TestContext): Promise<string> {
  const folder = join(root, 'test', 'infra', 'openapi', `client-${process.pid}-${t.name.length}`)
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(folder)
  const { status, output } = await runShell(command.replace(/client\.ts$/, join(folder, 'client.ts')))
  assert.equal(status, 0, output)
  // The generated code does not tell an absent member from an undefined one.
  const compilerOptions = { exactOptionalPropertyTypes: false }
  const settings = { extends: '../../../../tsconfig.json', compilerOptions, include: ['.'] }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(settings))
  return folder
}

async function compile(folder: string): ReturnType<typeof runShell> {
  return await runShell(`${join(root, 'node_modules', '.bin', 'tsc')} -p ${folder}`)
}
