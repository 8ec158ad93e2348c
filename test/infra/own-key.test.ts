import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readPage } from '../pages/page.ts'
import { root, runShell } from '../support/process/local-run.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'

/* The commands of lib/configuration/README.md that make a key. */

const path = join('lib', 'configuration', 'README.md')
const { status: missing } = await runShell('openssl version')

test('the commands of the page make a key that its complete connection signs with, and a certificate for it', {
  skip: missing !== 0 && 'openssl is not installed. Install it with: apt-get install openssl',
}, async (t) => {
  const folder = await temporaryFolder(t)
  const { blocks } = readPage(path, await readFile(join(root, path), 'utf8'))
  const commands = blocks.filter(({ text, language }) => language === 'sh' && text.includes('openssl'))
  assert.equal(commands.length, 2)
  let output = ''
  for (const { text } of commands) {
    const run = await runShell(`set -e\n${text.replaceAll('.tokenwell/', `${folder}/`)}`)
    assert.equal(run.status, 0, run.output)
    output += run.output
  }
  assert.match(output, /-----BEGIN PUBLIC KEY-----/)
  assert.match(await readFile(join(folder, 'my-certificate.pem'), 'utf8'), /-----BEGIN CERTIFICATE-----/)
  assert.equal((await stat(join(folder, 'secrets', 'my-key'))).mode & 0o077, 0)

  const complete = blocks.find(
    ({ text }) => text.includes('"location": "tokenwell/local/my-key"') && text.includes('jwtBuilder'),
  )
  assert.ok(complete)
  await writeFile(join(folder, 'elements.json'), complete.text)
  const validate = `infra/cli/tokenwell.ts validate ${folder}/elements.json --secrets-folder ${folder}/secrets`
  const checked = await runShell(`${process.execPath} ${validate}`)
  assert.deepEqual([checked.status, checked.output], [0, `${folder}/elements.json: mistakes: 0, warnings: 0\n`])
})
