import assert from 'node:assert/strict'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startServing } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/* What npm start shows after the first token: stale hits, events and rotations, in a separate process with real ports. */

test('a stale token is handed out and renewed, events and rotations can be started by hand, and the terminal shows it', async (t) => {
  const folder = await temporaryFolder(t)
  const run = await startServing(t, { TOKENWELL_FOLDER: folder })
  const post = async (path: string, body?: object) => {
    const response = await fetch(run.url + path, { method: 'POST', ...(body && { body: JSON.stringify(body) }) })
    return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> }
  }
  const askBrief = async () => (await post('/connections/conn-brief/token')).body

  const brief = await askBrief()
  const askedAt = Date.now()
  const clear = { source: 'me', 'detail-type': 'ClearTokenCache', detail: { connection: 'conn' } }
  assert.deepEqual(await post('/events', clear), { status: 202, body: { accepted: 'ClearTokenCache' } })
  await run.until(/TokenRefreshed .*"conn"[\s\S]*The event ClearTokenCache was handled/)
  for (const path of ['/events', '/rotate/myJWTAuthBuilder', '/connections/conn/token'])
    assert.equal(
      (await fetch(run.url + path, { method: 'POST', headers: { origin: 'https://evil.example' } })).status,
      403,
    )
  const misspelt = await post('/events', { ...clear, 'detail-type': 'ClearTokenCach' })
  assert.equal(misspelt.status, 400)
  assert.match(String(misspelt.body['error_description']), /detail-type/)

  const rotated = await post('/rotate/myJWTAuthBuilder')
  assert.deepEqual(rotated, { status: 200, body: { rotated: 'myJWTAuthBuilder' } })
  await run.until(/The rotation step finishSecret of jwtBuilder\/myJWTAuthBuilder is done/)
  const again = await post('/rotate/myJWTAuthBuilder')
  assert.equal(again.status, 409)
  assert.match(String(again.body['error_description']), /is published and starts to sign in \d+ min/)
  const { keys } = (await (await fetch(`${run.url}/jwt/myJWTAuthBuilder/jwk`)).json()) as { keys: object[] }
  assert.equal(keys.length, 2)
  assert.equal((await fetch(`${run.url}/jwt/hs256Builder/jwk`)).status, 400)

  const now = new Date()
  await utimes(join(folder, 'secrets', 'default-key'), now, now)
  await run.until(/The event SecretChanged was handled/)

  await pause(askedAt + 15_600 - Date.now())
  const stale = await askBrief()
  assert.equal(stale['access_token'], brief['access_token'], 'it goes stale after at most 15.3 s, and is good for 18')
  const output = await run.until(
    /TokenRefreshRequested .*"conn-brief"[\s\S]*The event TokenRefreshRequested was handled/,
  )
  assert.doesNotMatch(output, /did not take|was not raised|was not renewed|Attempt \d+ at the event/)
  await pause(1_500)
  assert.notEqual((await askBrief())['access_token'], brief['access_token'])
})
