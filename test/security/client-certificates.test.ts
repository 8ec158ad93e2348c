import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { certificateOfOrders, startAccessMatrix } from '../support/functions/access-matrix.ts'
import type { Handler } from '../support/functions/load-function.ts'

/*
 * Behind the alias `_mtls`, and only there, a function believes the client certificate in an event. Its subject opens the connections whose
 * elements list exactly this subject.
 */

const lambdaArn = 'arn:aws:lambda:eu-central-1:111122223333:function:tokens'

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

interface Sent {
  readonly clientCert?: unknown
  readonly alias?: string
  readonly method?: string
  readonly path?: string
  readonly connection?: string
}

async function send(
  handler: Handler,
  { clientCert, alias = '_mtls', method = 'POST', ...sent }: Sent,
): Promise<Answer> {
  const { path = '/connections/orders/token', connection } = sent
  const event = {
    ...{ version: '2.0', routeKey: '$default', rawPath: path, rawQueryString: '', headers: {}, isBase64Encoded: false },
    pathParameters: connection === undefined ? {} : { connection },
    requestContext: {
      ...{ http: { method, path }, stage: '$default' },
      ...(clientCert !== undefined && { authentication: { clientCert } }),
    },
  }
  const context = { ...createLocalContext(Date.now()), invokedFunctionArn: `${lambdaArn}:${alias}` }
  const answer = (await handler(event, context)) as { statusCode: number; body?: string }
  return { status: answer.statusCode, body: answer.body?.startsWith('{') ? JSON.parse(answer.body) : {} }
}

const issuerDN = 'C=DE,O=Example,CN=The CA'
const certificate = (subjectDN: unknown) => ({ subjectDN, issuerDN, serialNumber: '1', validity: {} })
const ofOrders = certificate(certificateOfOrders)

test('a certificate gets tokens and calls of the connections that list its subject, and of no other', async (t) => {
  const matrix = await startAccessMatrix(t)
  for (const { issueToken, callApi } of matrix.instances) {
    const { status, body } = await send(issueToken, { clientCert: ofOrders })
    assert.deepEqual([status, matrix.issuedFor(String(body['access_token']))?.connection], [200, 'orders'])
    const call = { clientCert: ofOrders, method: 'GET', path: '/connections/orders/api/x' }
    assert.equal((await send(callApi, call)).status, 200)
    const before = matrix.api.requests.length
    for (const name of ['stock', 'people', 'unknown'])
      for (const [handler, method, path] of [
        [issueToken, 'POST', `/connections/${name}/token`],
        [issueToken, 'DELETE', `/connections/${name}/token`],
        [callApi, 'GET', `/connections/${name}/api/x`],
      ] as const) {
        const refused = await send(handler, { clientCert: ofOrders, method, path })
        assert.deepEqual([refused.status, refused.body['error']], [403, 'access_denied'], path)
        const description = String(refused.body['error_description'])
        assert.ok(
          description.startsWith(
            `The client certificate of ${certificateOfOrders} has no access to the connection ${name}.`,
          ),
        )
      }
    const made = await send(issueToken, { clientCert: ofOrders, connection: 'stock' })
    assert.equal(made.status, 403, 'a made-up event that names two connections')
    assert.equal(matrix.api.requests.length, before)
  }
})

test('a subject is compared as a whole, with its case and blanks', async (t) => {
  const matrix = await startAccessMatrix(t)
  const [instance] = matrix.instances
  assert.ok(instance)
  for (const subject of [
    certificateOfOrders.toLowerCase(),
    `${certificateOfOrders},OU=x`,
    `OU=x,${certificateOfOrders}`,
    ` ${certificateOfOrders}`,
    'CN=orders,O=Example,C=DE',
    'C=DE, O=Example, CN=orders',
    'CN=orders',
    'orders',
    '*',
  ])
    assert.equal((await send(instance.issueToken, { clientCert: certificate(subject) })).status, 403, subject)
})

test('without a certificate every route answers 401', async (t) => {
  const matrix = await startAccessMatrix(t)
  const noCertificates = [undefined, null, 'x', {}, certificate(''), certificate(7), certificate([certificateOfOrders])]
  for (const { issueToken, callApi } of matrix.instances)
    for (const clientCert of [...noCertificates, { ...ofOrders, issuerDN: undefined }])
      for (const [handler, method, path] of [
        [issueToken, 'POST', '/connections/orders/token'],
        [issueToken, 'GET', '/connections'],
        [callApi, 'GET', '/connections/orders/api/x'],
      ] as const) {
        const { status, body } = await send(handler, { clientCert, method, path })
        assert.deepEqual([status, body['error']], [401, 'invalid_client'], JSON.stringify(clientCert))
      }
})

test('the list shows a certificate its own connections, and nothing of others', async (t) => {
  const matrix = await startAccessMatrix(t)
  for (const { issueToken } of matrix.instances) {
    const list = async (subject: string) =>
      (await send(issueToken, { clientCert: certificate(subject), method: 'GET', path: '/connections' })).body
    const own = await list(certificateOfOrders)
    assert.deepEqual(Object.keys(own), ['connections'])
    assert.deepEqual(
      (own['connections'] as { connection: string }[]).map(({ connection }) => connection),
      ['orders'],
    )
    assert.deepEqual(await list('CN=nobody'), { connections: [] })
  }
})

test('behind any other alias a certificate counts for nothing', async (t) => {
  const matrix = await startAccessMatrix(t)
  for (const { issueToken, isGuarded } of matrix.instances)
    for (const alias of ['_live', 'c-stock', '$LATEST', '1', '_MTLS']) {
      const { status, body } = await send(issueToken, { clientCert: ofOrders, alias })
      // Behind IAM, the API has decided who may use the connection before it invokes `_live`.
      if (alias === '_live' && !isGuarded) continue
      assert.deepEqual([status, body['access_token']], [403, undefined], alias)
    }
})

test('a certificate gets no token for a user, of a connection that lists its subject either', async (t) => {
  const { instances, tokens } = await startAccessMatrix(t)
  for (const { issueToken } of instances)
    for (const subject of ['alice', 'orders', `~${Buffer.from(certificateOfOrders).toString('base64url')}`]) {
      const sent = { clientCert: ofOrders, path: `/connections/orders/as/${subject}/token` }
      const { status, body } = await send(issueToken, sent)
      assert.deepEqual([status, body['error']], [403, 'access_denied'])
      assert.match(String(body['error_description']), /^A client certificate gives no access to tokens for users\./)
    }
  assert.equal(tokens.requests.length, 0)
})
