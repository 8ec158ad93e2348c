import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { watchFiles } from '../../../infra/local/watch-files.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { readIncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

const longestMilliseconds = 20_000

test('changes of elements and secrets raise the events of AWS, and nothing else raises events', async (t) => {
  const secretsFolder = await temporaryFolder(t, { 'a-key': 'first', 'jwk/theBuilder': 'first' })
  const elementsPath = join(await temporaryFolder(t, {}), 'elements.json')
  const write = (changes = {}) => writeFile(elementsPath, JSON.stringify(exampleElements(exampleIssuer, changes)))
  await write()
  const told: IncomingEvent[] = []
  const prepared: number[] = []
  await watchFiles(
    { elementsPath, secretsFolder, deployment: localDeployment },
    {
      deliver: async (event) => void told.push(readIncomingEvent(event, localDeployment.stage)),
    },
    async () => void prepared.push(told.length),
  )
  const next = async () => {
    for (let waited = 0; told.length === 0 && waited < longestMilliseconds; waited += 50) await pause(50)
    return told.splice(0)
  }

  await write({ oAuth: { scope: 'orders:read' } })
  assert.deepEqual(await next(), [{ type: 'ElementChanged', kind: 'oAuthConfig', id: 'theConfig' }])
  assert.deepEqual(prepared, [0], 'secrets are made before the event')
  await writeFile(elementsPath, '{')
  await pause(1_500)
  await write({ oAuth: { scope: 'orders:read' } })
  await pause(1_500)
  assert.deepEqual(told, [], 'a file that is being written is no change')

  await mkdir(join(secretsFolder, 'jwk'), { recursive: true })
  await writeFile(join(secretsFolder, 'jwk', 'theBuilder.pending-some-token'), 'next')
  await pause(50)
  await writeFile(join(secretsFolder, 'jwk', 'theBuilder'), 'second')
  assert.deepEqual(await next(), [{ type: 'SecretChanged', name: 'tokenwell/local/jwk/theBuilder' }])
  await rm(join(secretsFolder, 'a-key'))
  assert.deepEqual(await next(), [{ type: 'SecretChanged', name: 'tokenwell/local/a-key' }])
})
