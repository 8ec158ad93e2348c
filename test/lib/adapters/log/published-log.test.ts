import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { logChannel } from '../../../../lib/adapters/log/powertools.ts'
import type { LogEvent } from '../../../../lib/log/log-event.ts'
import { root } from '../../../support/process/local-run.ts'

test('an event is written to the log and published to listeners', async () => {
  const event: LogEvent = { event: 'connection_resolved', connection: 'conn', milliseconds: 1 }
  const script = `
    import { channel } from 'node:diagnostics_channel'
    import { createPowertoolsLog } from './lib/adapters/log/powertools.ts'
    channel('tokenwell:log').subscribe((heard) => console.log(JSON.stringify({ heard })))
    createPowertoolsLog('prod')(${JSON.stringify(event)})`
  const words = ['--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: root, env: {} })
  const [taken, heard, ...more] = stdout
    .split('\n')
    .filter(Boolean)
    .map((line): Record<string, unknown> => JSON.parse(line))
  assert.equal(logChannel, 'tokenwell:log')
  assert.deepEqual(
    [taken?.['message'], taken?.['connection'], taken?.['milliseconds']],
    ['connection_resolved', 'conn', 1],
  )
  assert.deepEqual([heard, more], [{ heard: event }, []])
})
