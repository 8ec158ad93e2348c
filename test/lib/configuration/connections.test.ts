import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileElements } from '../../../lib/adapters/file-elements.ts'
import { createConnections } from '../../../lib/configuration/connections.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import {
  theConfigurationError,
  theElementsFile,
  theFolder,
  theIssuer,
  theSurroundings,
} from '../../support/element-store.ts'
import { theElements } from '../../support/elements.ts'

test('a connection is resolved at its first use and kept, also for those who ask at the same moment', async (t) => {
  const { connections, events } = theConnections(await theElementsFile(t, theElements(theIssuer)))
  const [first, second] = await Promise.all([connections.get('conn'), connections.get('conn')])
  assert.equal(first, second)
  assert.equal(await connections.get('conn'), first)
  assert.deepEqual(events, [{ event: 'connection_resolved', connection: 'conn', milliseconds: 5 }])
})

test('a failure is not kept: the connection works as soon as its elements are there', async (t) => {
  const path = join(await theFolder(t, {}), 'elements.json')
  const { connections, events } = theConnections(path)
  await theConfigurationError(connections.get('conn'))
  assert.deepEqual(events, [])

  await writeFile(path, JSON.stringify(theElements(theIssuer)))
  assert.equal((await connections.get('conn')).connection.name, 'conn')
})

function theConnections(path: string) {
  const events: LogEvent[] = []
  let time = 0
  const connections = createConnections({
    elements: fileElements(path),
    surroundings: theSurroundings,
    now: () => (time += 5),
    log: (event) => events.push(event),
  })
  return { connections, events }
}
