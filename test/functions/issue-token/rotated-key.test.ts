import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import { secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'

/* The function with a rotated set of keys, and a server that knows some of them. */

const hour = 3_600
const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const theKeys = { next: p256(), current: p256(), previous: p256() }
type Name = keyof typeof theKeys

function jwkOf(name: Name, signsFrom: number, signsUntil?: number) {
  const times = { signsFrom, ...(signsUntil !== undefined && { signsUntil }) }
  return { ...theKeys[name].export({ format: 'jwk' }), kid: name, use: 'sig', alg: 'ES256', ...times }
}

async function startWithSet(t: TestContext, keys: readonly object[], known: readonly Name[]) {
  const server = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { builder: { signatureAlgorithm: 'ES256' } }),
    ({ form }) => {
      const { kid } = decodeProtectedHeader(form.get('client_assertion') ?? '')
      return known.some((name) => name === kid) ? tokenAnswer() : { status: 401, body: { error: 'invalid_client' } }
    },
  )
  const { secretsFolder, deployment } = server.workspace
  await writeFile(
    secretPath(secretsFolder, deployment.stage, 'tokenwell/local/jwk/theBuilder'),
    JSON.stringify({ keys }),
  )
  return server
}

async function assertSigned(assertion: string | null, key: KeyObject): Promise<string> {
  const { payload } = await jwtVerify(assertion ?? '', createPublicKey(key), { algorithms: ['ES256'] })
  return String(payload.jti)
}

test('the current key of a rotated set signs, and then the previous one if the server knows only that', async (t) => {
  const now = Math.floor(Date.now() / 1000)
  const set = [
    jwkOf('next', now + hour),
    jwkOf('current', now - hour, now + hour),
    jwkOf('previous', now - 9 * hour, now - hour),
  ]
  const server = await startWithSet(t, set, ['previous'])
  assert.equal((await server.http(tokenRequest('conn'))).status, 200)
  const [first, second, ...more] = server.requests.map(({ form }) => form.get('client_assertion'))
  assert.deepEqual(more, [])
  const ids = [await assertSigned(first ?? null, theKeys.current), await assertSigned(second ?? null, theKeys.previous)]
  assert.equal(new Set(ids).size, 2)

  const other = await startWithSet(t, set, ['next'])
  assert.equal((await other.http(tokenRequest('conn'))).status, 502)
  assert.equal(other.requests.length, 2, 'a key whose time has not come is never tried')
})

test('if no key of a set may sign, the caller learns only that Tokenwell failed', async (t) => {
  const now = Math.floor(Date.now() / 1000)
  const server = await startWithSet(t, [jwkOf('next', now + hour)], ['next'])
  const { status, body } = await server.http(tokenRequest('conn'))
  assert.equal(status, 500)
  assert.equal(body['error'], 'server_error')
  assert.doesNotMatch(JSON.stringify(body), /next|signsFrom/)
  assert.equal(server.requests.length, 0)
})
