import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { bundleFunction } from '../infra/bundle.ts'
import { exampleElements } from './support/elements/elements.ts'
import { startIssueTokenWithOidcProvider, users } from './support/functions/issue-token-with-oidc-provider.ts'
import { environmentOf } from './support/functions/load-function.ts'
import { leaks } from './support/output/canary.ts'
import { root } from './support/process/local-run.ts'
import { temporaryFolder } from './support/process/temporary-folder.ts'

const run = promisify(execFile)

test('a canary that sings is heard: in a log, in an answer, escaped in JSON', () => {
  const secret = 'the "secret" of alice'
  assert.equal(leaks([secret], [JSON.stringify({ reason: `no ${secret}` })]).length, 1)
  assert.equal(leaks([secret], [`plain ${secret}`]).length, 1)
  assert.deepEqual(leaks([secret], ['the secret of alice']), [])
})

test('a canary that sings is heard in every form that a request or an answer gives a secret', () => {
  const secret = 'the "secret"+of/alice?'
  const base64 = (before: string) => Buffer.from(`${before}${secret} and more`).toString('base64')
  for (const heard of [
    JSON.stringify(JSON.stringify({ secret })),
    encodeURIComponent(secret),
    new URLSearchParams({ secret }).toString(),
    Buffer.from(`user:${secret}`).toString('hex'),
    ...['', 'a', 'ab', 'user:'].map(base64),
    Buffer.from(`user:${secret}`).toString('base64url'),
  ])
    assert.equal(leaks([secret], ['nothing', heard, 'nothing']).length, 1, heard)
  assert.deepEqual(leaks([secret], [base64('').slice(0, 20), 'the+secret']), [])
})

test('a test file that logs a secret fails, although each of its tests passes', async (t) => {
  const path = join(root, 'test', `leak-${process.pid}.test.ts`)
  t.after(() => rm(path, { force: true }))
  await writeFile(
    path,
    `import { channel } from 'node:diagnostics_channel'
     import { test } from 'node:test'
     import { plant } from './support/output/canary.ts'
     test('nothing is wrong', () => {
       plant('the password of mallory')
       channel('tokenwell:log').publish({ reason: 'no the password of mallory' })
     })`,
  )
  const { NODE_TEST_CONTEXT: _context, ...environment } = process.env
  await assert.rejects(run(process.execPath, ['--test', path], { env: environment }), (error: { stdout: string }) => {
    assert.match(error.stdout, /a secret was logged or answered/)
    return true
  })
})

test('the log of the built function holds no key, password, assertion or token', async (t) => {
  const folder = await temporaryFolder(t)
  const bundle = await bundleFunction('issue-token', folder)
  const set = await startIssueTokenWithOidcProvider(t, (issuer) =>
    exampleElements(issuer, { oAuth: { grantType: 'password' } }),
  )
  const script = join(folder, 'invoke.mjs')
  await writeFile(
    script,
    `import { writeFileSync } from 'node:fs'
     import { handler } from ${JSON.stringify(bundle)}
     const invokedFunctionArn = 'arn:aws:lambda:eu-central-1:111122223333:function:tokens:c-conn'
     const context = { awsRequestId: 'the-request', invokedFunctionArn, getRemainingTimeInMillis: () => 20_000 }
     const ask = (password) => handler({ connection: 'conn', username: 'alice', password }, context)
     const answers = [await ask(${JSON.stringify(users.get('alice'))}), await ask('a wrong password of alice')]
     writeFileSync('token', answers[0].access_token)
     process.exit(0)`,
  )
  const environment = { ...environmentOf(set.workspace), POWERTOOLS_LOG_LEVEL: 'DEBUG' }
  const { stdout, stderr } = await run(process.execPath, [script], { env: environment, cwd: folder })
  const token = await readFile(join(folder, 'token'), 'utf8')
  const log = stdout + stderr
  assert.match(log, /"message":"token_issued"/)
  assert.match(log, /"message":"request_failed"/)
  assert.ok(token.length > 20)
  assert.deepEqual(leaks([token, users.get('alice') ?? '', 'a wrong password of alice'], [log]), [])
  assert.doesNotMatch(log, /eyJ/)
})
