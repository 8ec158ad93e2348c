import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import { secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { readSigningKeys } from '../../../lib/signing/signing-secret.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { sendHttp } from '../../support/functions/function-caller.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { loadFunction, tokenRequest } from '../../support/functions/load-function.ts'

const name = 'tokenwell/local/jwk/theBuilder'

test('after the event RevokeKey a real authorization server gets no assertion with that key, and publish-keys does not serve it', async (t) => {
  const environment = { TOKENWELL_CACHE: `memory:${randomBytes(8).toString('hex')}` }
  const set = await startIssueTokenWithOidcProvider(
    t,
    (issuer) => exampleElements(issuer, { oAuth: { requestMay: { scope: true } } }),
    { environment },
  )
  const { workspace } = set
  const refresh = await loadFunction('refresh-token', workspace, environment)
  const answer = async (event: object) => {
    const body = JSON.stringify({ source: 'operator', ...event })
    const message = { messageId: '1', body, attributes: { ApproximateReceiveCount: '1' } }
    const result = await refresh({ Records: [message] }, createLocalContext(Date.now()))
    assert.deepEqual(result, { batchItemFailures: [] })
  }
  /** A new instance, which has read nothing before. */
  const published = async () => {
    const publishKeys = await loadFunction('publish-keys', workspace, environment)
    const { body } = await sendHttp(publishKeys, { method: 'GET', path: '/jwt/theBuilder/jwk' })
    return (body['keys'] as { kid: string }[] | undefined)?.map(({ kid }) => kid)
  }
  await answer({ 'detail-type': 'ReconcileElements', detail: {} })
  const text = await readFile(secretPath(workspace.secretsFolder, 'local', name), 'utf8')
  const [key = assert.fail()] = readSigningKeys(name, new Secret(text))
  assert.deepEqual(await published(), [key.keyId])
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)

  const before = set.tokenRequests()
  await answer({ 'detail-type': 'RevokeKey', detail: { jwtBuilder: 'theBuilder', kid: key.keyId } })
  const { status, body } = await set.http(tokenRequest('conn', 'scope=openid'))
  assert.deepEqual([status, body['error']], [500, 'server_error'])
  assert.ok(!JSON.stringify(body).includes(key.keyId), 'the reason is for the operator')
  assert.equal(set.tokenRequests(), before)
  assert.deepEqual(await published(), [])
  assert.equal((await set.http(tokenRequest('conn'))).body['source'], 'memory', 'what it has brought is good')
})
