import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { messageTable } from '../../../infra/prose/message-table.ts'
import { readErrorClasses, readSources, textsOf } from '../../../infra/prose/source-texts.ts'
import { root } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

test('lib/log/messages.md is what the source says; npm run messages writes it', () => {
  assert.equal(readFileSync(join(root, 'lib', 'log', 'messages.md'), 'utf8'), messageTable(root))
})

test('the table has errors, findings, log sentences, alarms, the narration of the local run and install hints, each with its code', () => {
  const rows = messageTable(root).split('\n')
  const has = (code: string, path: string) =>
    rows.some((row) => row.startsWith(`| ${code && `\`${code}\``} | \`${path}\``))
  assert.ok(has('invalid_request', 'lib/admission/admit-request.ts'))
  assert.ok(has('record_store', 'lib/adapters/aws/dynamodb-records.ts'))
  assert.ok(has('secret_denied', 'lib/adapters/files/file-secrets.ts'))
  assert.ok(has('refused', 'lib/token-endpoint/token-endpoint-error.ts'))
  assert.ok(has('mistake', 'lib/configuration/resolve-authentications.ts'))
  assert.ok(has('warning', 'lib/configuration/advice.ts'))
  assert.ok(has('token_obtained', 'lib/log/token-events.ts'))
  assert.ok(has('error', 'infra/stack/tokenwell.ts'))
  assert.ok(has('error', 'test/support/servers/moto.ts'))
  assert.ok(has('', 'infra/stack/alarms.ts'))
  assert.ok(has('', 'infra/local/start.ts'))
})

test('a text has the code of its error, the kind of its finding or the name of its log event, and names for its values', async (t) => {
  const texts = await textsIn(
    t,
    `class AError extends Error { readonly code = 'a_code'
      constructor(name: string) { super(\`The thing \${name} is missing. Add it.\`) } }
    class FramedError extends Error { readonly code = 'framed'
      constructor(name: string, complaint: string) { super(\`The \${name} \${complaint}\`) } }
    function b(found: { readonly id: string }, list: string[]) {
      if (list.length > 3) throw new AError(\`no \${found.id}\`)
      throw new FramedError('token_id', list ? 'is missing here.' : \`is \${found.id} now.\`)
      throw new OtherError('other_code', \`has \${list.join(', ')} and \${JSON.stringify(found)} too many\`)
    }
    findings.addWarning(element, 'x', 'It has no effect.')
    const events = { an_event: row({ sentence: (event) => \`\${event.count} tokens were \${isKept ? 'kept' : 'lost'} today\` }) }`,
  )
  assert.deepEqual(texts, [
    'a_code AError: The thing <name> is missing. Add it.',
    'framed FramedError: The <name> <complaint>',
    'a_code b: The thing no <id> is missing. Add it.',
    'framed b: The token_id is missing here.',
    'framed b: The token_id is <id> now.',
    'other_code b: has <list> and <found> too many',
    'warning : It has no effect.',
    'an_event events: <count> tokens were <kept | lost> today',
  ])
})

test('names, imports, types and scripts are no texts', async (t) => {
  const texts = await textsIn(
    t,
    `import a from 'a-b-c'
    export * from 'a-b-c'
    type B = 'one of many words'
    const c = 'token_endpoint', d = 'two words'
    const script = "redis.call('get', 'a b c') return one two"`,
  )
  assert.deepEqual(texts, [])
})

async function textsIn(t: Parameters<typeof temporaryFolder>[0], source: string): Promise<string[]> {
  const folder = await temporaryFolder(t)
  mkdirSync(join(folder, 'lib'))
  writeFileSync(join(folder, 'lib', 'a.ts'), source)
  const files = readSources(folder, ['lib'])
  return files
    .flatMap((file) => textsOf(file, readErrorClasses(files)))
    .map(({ code, within, text }) => `${code} ${within}: ${text}`)
}
