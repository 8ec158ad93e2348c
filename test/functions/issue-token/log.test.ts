import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { exampleElements } from '../../support/elements/elements.ts'
import { createWorkspace } from '../../support/functions/function-caller.ts'
import { environmentOf } from '../../support/functions/load-function.ts'
import { root } from '../../support/process/local-run.ts'

const run = promisify(execFile)

test('the built function writes its events where Lambda reads them', async (t) => {
  const workspace = await createWorkspace(t, exampleElements('https://localhost:9'))
  const script = `
    import { handler } from './functions/issue-token/index.ts'
    const invokedFunctionArn = 'arn:aws:lambda:eu-central-1:111122223333:function:tokens:c-nowhere'
    await handler({}, { awsRequestId: 'the-request', invokedFunctionArn, getRemainingTimeInMillis: () => 20_000 })`
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: root,
    env: { ...environmentOf(workspace), POWERTOOLS_LOG_LEVEL: 'INFO' },
  })
  const { message, status, requestId } = JSON.parse(stdout + stderr)
  assert.deepEqual({ message, status, requestId }, { message: 'request_failed', status: 404, requestId: 'the-request' })
})
