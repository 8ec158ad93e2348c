import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import { decodeJwt } from 'jose'
import { Agent, request } from 'undici'
import { startAuthorizationServer } from '../../../infra/local/authorization-server.ts'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { users } from '../../support/functions/issue-token-with-oidc-provider.ts'

type Post = (form: Record<string, string>) => Promise<{ status: number; body: Record<string, unknown> }>

/** The server with one client, and a way to post that client's forms to it. */
async function startServer(
  t: TestContext,
): Promise<{ readonly post: Post; readonly issuer: string; close(): Promise<void> }> {
  const certificate = await createServerCertificate(['localhost'])
  const { issuer, close } = await startAuthorizationServer({
    port: 0,
    certificate,
    users,
    clients: async () => [
      {
        client_id: 'theClient',
        client_secret: 'the secret',
        redirect_uris: [],
        response_types: [],
        grant_types: ['client_credentials', 'password'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
  })
  const dispatcher = new Agent({ connect: { ca: certificate.caCertificate } })
  t.after(() => dispatcher.destroy())
  const authorization = `Basic ${Buffer.from('theClient:the+secret').toString('base64')}`
  return {
    issuer,
    close,
    async post(form) {
      const { statusCode, body } = await request(`${issuer}/token`, {
        dispatcher,
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', authorization },
        body: new URLSearchParams(form).toString(),
      })
      return { status: statusCode, body: (await body.json()) as Record<string, unknown> }
    },
  }
}

test('a user gets a token only with the right password, and an unknown user gets none', async (t) => {
  const { post, close } = await startServer(t)
  t.after(close)
  const grant = { grant_type: 'password' }
  const password = users.get('alice') ?? ''
  assert.equal((await post({ ...grant, username: 'alice', password })).status, 200)
  for (const wrong of [
    { username: 'alice', password: 'x'.repeat(password.length) },
    { username: 'alice', password: '' },
    { username: 'alice' },
    { username: 'bob', password },
    { username: 'nobody', password },
    { username: 'nobody', password: '' },
    { username: 'nobody' },
  ])
    assert.equal((await post({ ...grant, ...wrong })).body['error'], 'invalid_grant', JSON.stringify(wrong))
})

test('a resource under api.server.com gets a JWT, and any other is an invalid target', async (t) => {
  const { post, close } = await startServer(t)
  t.after(close)
  const grant = { grant_type: 'client_credentials' }
  const resource = 'https://api.server.com/orders'
  const { aud } = decodeJwt(String((await post({ ...grant, resource })).body['access_token']))
  assert.equal(aud, resource)
  for (const other of ['https://api.server.com.example/', 'https://api.other.example/'])
    assert.equal((await post({ ...grant, resource: other })).body['error'], 'invalid_target')
})

test('it closes at once, even if connections are open', async (t) => {
  const { post, issuer, close } = await startServer(t)
  await post({ grant_type: 'client_credentials' })
  const busy = connect({ port: Number(new URL(issuer).port), host: 'localhost', rejectUnauthorized: false })
  t.after(() => busy.destroy())
  await once(busy, 'secureConnect')
  busy.on('error', () => {}).write('POST /token HTTP/1.1\r\nhost: localhost\r\n')
  await pause(100)
  const startedAt = performance.now()
  await close()
  assert.ok(performance.now() - startedAt < 1_000)
  await assert.rejects(post({ grant_type: 'client_credentials' }))
})
