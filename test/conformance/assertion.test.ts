import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type TestContext, test } from 'node:test'
import {
  decodeJwt,
  decodeProtectedHeader,
  importX509,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose'
import { Agent, request } from 'undici'
import { fileElements } from '../../lib/adapters/files/file-elements.ts'
import { fileSecrets } from '../../lib/adapters/files/file-secrets.ts'
import type { JwtConfiguration, JwtOfSecret } from '../../lib/configuration/assertion-configuration.ts'
import { isServed } from '../../lib/configuration/connection.ts'
import { resolveConnection } from '../../lib/configuration/resolve-connection.ts'
import { type SignatureAlgorithm, signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { createSecretCache } from '../../lib/secret/secret-cache.ts'
import type { AssertionMoment } from '../../lib/signing/assertion.ts'
import { signAssertion } from '../../lib/signing/assertion.ts'
import type { Signer } from '../../lib/signing/signer.ts'
import { createLocalSigner } from '../../lib/signing/signer.ts'
import { createSignerCache } from '../../lib/signing/signer-cache.ts'
import { readSigningKeys } from '../../lib/signing/signing-secret.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../support/elements/elements.ts'
import { ownJwt } from '../support/elements/own-jwt.ts'
import {
  type IssueTokenWithOidcProvider,
  startIssueTokenWithOidcProvider,
} from '../support/functions/issue-token-with-oidc-provider.ts'
import { tokenRequest } from '../support/functions/load-function.ts'

const sharedKey = 'tokenwell/local/shared'

function builderOf(signatureAlgorithm: SignatureAlgorithm): Record<string, unknown> {
  return signatureAlgorithm.startsWith('HS')
    ? { signatureAlgorithm, sharedKey, jwkEnabled: undefined }
    : { signatureAlgorithm, jwkEnabled: true }
}

interface ReceivedAssertion {
  readonly assertion: string
  readonly header: ProtectedHeaderParameters
  readonly claims: JWTPayload
}

/** Starts the function and the server, and records every assertion that the token endpoint receives. */
async function startListening(
  t: TestContext,
  elements: (issuer: string) => RawElements,
): Promise<{ readonly set: IssueTokenWithOidcProvider; readonly received: readonly ReceivedAssertion[] }> {
  const set = await startIssueTokenWithOidcProvider(t, elements)
  const received: ReceivedAssertion[] = []
  set.server.server.prependListener('request', (incoming: IncomingMessage) => {
    const chunks: Buffer[] = []
    // A listener of its own would consume the body before the server, which starts to read it later.
    const emit = incoming.emit.bind(incoming) as (event: string | symbol, ...values: unknown[]) => boolean
    incoming.emit = (event: string | symbol, ...values: unknown[]) => {
      if (event === 'data' && values[0] instanceof Buffer) chunks.push(values[0])
      if (event === 'end') received.push(...readAssertions(Buffer.concat(chunks).toString()))
      return emit(event, ...values)
    }
  })
  return { set, received }
}

function readAssertions(form: string): ReceivedAssertion[] {
  return new URLSearchParams(form)
    .getAll('client_assertion')
    .map((assertion) => ({ assertion, header: decodeProtectedHeader(assertion), claims: decodeJwt(assertion) }))
}

async function assertIssues(set: IssueTokenWithOidcProvider): Promise<Record<string, unknown>> {
  const { status, body } = await set.http(tokenRequest('conn'))
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body['source'], 'server')
  assert.equal(typeof body['access_token'], 'string')
  return body
}

for (const algorithm of signatureAlgorithms)
  test(`a real authorization server issues a token for an assertion signed by ${algorithm}`, async (t) => {
    const { set, received } = await startListening(t, (issuer) =>
      exampleElements(issuer, { builder: builderOf(algorithm) }),
    )
    await assertIssues(set)
    assert.deepEqual(
      received.map(({ header }) => header.alg),
      [algorithm],
    )
  })

test('an assertion with the typ client-authentication+jwt is accepted', async (t) => {
  const typ = 'client-authentication+jwt'
  const { set, received } = await startListening(t, (issuer) => exampleElements(issuer, { builder: { typ } }))
  await assertIssues(set)
  assert.equal(received[0]?.header.typ, typ)
})

test('an assertion without typ is accepted', async (t) => {
  const { set, received } = await startListening(t, (issuer) => exampleElements(issuer, { builder: { typ: 'none' } }))
  await assertIssues(set)
  assert.ok(received[0] && !('typ' in received[0].header))
})

test('jwkSigningKeySize is the size of the key that signs', async (t) => {
  const builder = { signatureAlgorithm: 'PS256', jwkSigningKeySize: 3072 }
  const { set, received } = await startListening(t, (issuer) => exampleElements(issuer, { builder }))
  await assertIssues(set)
  const [key] = await theKeys(set)
  assert.equal(key?.privateKey.asymmetricKeyDetails?.modulusLength, 3072)
  assert.equal(received[0]?.header.kid, key?.keyId)
})

for (const [thumbprint, digest] of [
  ['x5t#S256', 'sha256'],
  ['x5t', 'sha1'],
] as const)
  test(`an assertion with the ${thumbprint} of its key's certificate is accepted`, async (t) => {
    const builder = { certificateThumbprint: thumbprint }
    const { set, received } = await startListening(t, (issuer) => exampleElements(issuer, { builder }))
    await assertIssues(set)
    const [key] = await theKeys(set)
    const certificate = key?.certificates[0]
    assert.ok(certificate)
    const expected = createHash(digest).update(certificate.raw).digest('base64url')
    assert.equal(received[0]?.header[thumbprint as 'x5t'], expected)
  })

test('an assertion with x5c and without kid is accepted, and the first certificate verifies it', async (t) => {
  const builder = { x5c: true, omit: 'kid' }
  const { set, received } = await startListening(t, (issuer) => exampleElements(issuer, { builder }))
  await assertIssues(set)
  const [{ assertion, header } = assert.fail('no assertion')] = received
  assert.deepEqual(Object.keys(header), ['alg', 'typ', 'x5c'])
  const [certificate = ''] = header.x5c ?? []
  const pem = `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----\n`
  const { payload } = await jwtVerify(assertion, await importX509(pem, 'RS256'), {
    ...{ issuer: 'theClient', subject: 'theClient', audience: set.server.issuer, typ: 'JWT', algorithms: ['RS256'] },
    ...{ maxTokenAge: '120s', requiredClaims: ['exp', 'iat', 'jti'] },
  })
  assert.deepEqual(Object.keys(payload).toSorted(), ['aud', 'exp', 'iat', 'iss', 'jti', 'sub'])
})

test("the operator's members of the header reach the server", async (t) => {
  const header = { jku: 'https://keys.example/jwks', cty: 'JWT', tenant: { name: 'blue' } }
  const { set, received } = await startListening(t, (issuer) => exampleElements(issuer, { builder: { header } }))
  await assertIssues(set)
  const { alg, typ, kid, ...more } = received[0]?.header ?? {}
  assert.deepEqual([alg, typ, typeof kid], ['RS256', 'JWT', 'string'])
  assert.deepEqual(more, header)
})

test('an assertion that lives for 10 s, and has no iat, is accepted', async (t) => {
  const builder = { expiresInSeconds: 10, omit: ['iat', 'nbf'] }
  const { set, received } = await startListening(t, (issuer) => exampleElements(issuer, { builder }))
  await assertIssues(set)
  const { claims = {} } = received[0] ?? {}
  assert.deepEqual(Object.keys(claims).toSorted(), ['aud', 'exp', 'iss', 'jti', 'sub'])
  assert.ok(Math.abs(Number(claims.exp) - Date.now() / 1000) < 11)
})

test('a server that follows RFC 7523 refuses an assertion without sub or iss', async (t) => {
  for (const omit of ['sub', 'iss'] as const) {
    const builder = omit === 'iss' ? { issuer: undefined, omit } : { omit }
    const { set, received } = await startListening(t, (issuer) =>
      exampleElements(issuer, { builder, oAuth: { jwtAuthenticationSetClientId: true } }),
    )
    assert.equal((await set.http(tokenRequest('conn'))).status, 502)
    assert.ok(received.every(({ claims }) => !(omit in claims)))
    assert.ok(received.length > 0)
  }
})

test("the operator's claims reach the server, except sub and iat", async (t) => {
  const claims = { sub: 'anotherClient', iat: 1, tenant: 'blue' }
  const { set, received } = await startListening(t, (issuer) => exampleElements(issuer, { tokenConfig: { claims } }))
  await assertIssues(set)
  const sent = received[0]?.claims
  assert.equal(sent?.['tenant'], 'blue')
  assert.equal(sent?.sub, 'theClient')
  assert.ok(Math.abs(Number(sent?.iat) - Date.now() / 1000) < 60)
})

test('two connections of one client send two assertions with different jti', async (t) => {
  const { set, received } = await startListening(t, (issuer) => ({
    ...exampleElements(issuer),
    endpointConnection: {
      conn: { authenticationConfigRef: 'theConfig' },
      anotherConn: { authenticationConfigRef: 'theConfig' },
    },
  }))
  for (const connection of ['conn', 'anotherConn'])
    assert.equal((await set.http(tokenRequest(connection))).body['source'], 'server')
  assertNeverTheSame(received)
})

test('the request that replaces a rejected token has a new jti', async (t) => {
  const { set, received } = await startListening(t, (issuer) => exampleElements(issuer))
  const first = await assertIssues(set)
  const rejection = await set.http({
    method: 'DELETE',
    path: '/connections/conn/token',
    query: `token_id=${first['token_id']}`,
  })
  assert.equal(rejection.status, 204)
  const second = await assertIssues(set)
  assert.notEqual(second['access_token'], first['access_token'])
  assertNeverTheSame(received)
})

function assertNeverTheSame(received: readonly ReceivedAssertion[]): void {
  const ids = received.map(({ claims }) => claims.jti)
  assert.equal(ids.length, 2)
  assert.ok(ids.every((id) => typeof id === 'string' && id.length >= 16))
  assert.notEqual(ids[0], ids[1])
}

async function theKeys({ workspace }: IssueTokenWithOidcProvider) {
  const secrets = fileSecrets(workspace.secretsFolder, workspace.deployment.stage)
  const { key } = await theAssertion(workspace)
  return readSigningKeys(key.location, await secrets.get(key.location))
}

async function theAssertion(workspace: IssueTokenWithOidcProvider['workspace']): Promise<JwtOfSecret> {
  const elements = fileElements(workspace.elementsPath)
  const connection = await resolveConnection(elements, workspace.deployment, 'conn')
  if (!isServed(connection) || !('assertion' in connection.clientAuthentication))
    throw new Error('this client signs no assertion')
  return ownJwt(connection.clientAuthentication.assertion)
}

/** The real server alone, for assertions that the test signs and sends by itself. */
interface FarEnd {
  readonly assertion: JwtOfSecret
  readonly signer: Signer
  /** Signs the assertion of the elements with these changes, and sends it. */
  present(changes?: Partial<JwtConfiguration>, moment?: Partial<AssertionMoment>, signer?: Signer): Promise<Answer>
  send(assertion: string): Promise<Answer>
}

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** The server knows `theClient`, and `anotherClient` with another key. */
async function startFarEnd(t: TestContext, changes: ElementChanges = {}): Promise<FarEnd> {
  const { workspace, server } = await startIssueTokenWithOidcProvider(t, (issuer) =>
    twoClients(exampleElements(issuer, changes)),
  )
  const secrets = fileSecrets(workspace.secretsFolder, workspace.deployment.stage)
  const ca = (await secrets.get('tokenwell/local/authorization-server-ca')).reveal()
  const dispatcher = new Agent({ connect: { ca } })
  t.after(() => dispatcher.close())

  const assertion = await theAssertion(workspace)
  const theSigner = await createSignerCache(createSecretCache(secrets, Date.now), Date.now).current(
    assertion.key,
    assertion.algorithm,
  )

  async function send(signed: string): Promise<Answer> {
    const { statusCode, body } = await request(`${server.issuer}/token`, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: signed,
      }).toString(),
    })
    return { status: statusCode, body: (await body.json()) as Record<string, unknown> }
  }

  return {
    assertion,
    signer: theSigner,
    send,
    async present(changed = {}, moment = {}, signer = theSigner) {
      const signed = await signAssertion({ ...assertion, ...changed }, signer, { ...newMoment(), ...moment })
      return send(signed.assertion.reveal())
    },
  }
}

function twoClients(elements: RawElements): RawElements {
  return {
    ...elements,
    jwtBuilder: { ...elements['jwtBuilder'], anotherBuilder: { issuer: 'anotherClient', jwkEnabled: true } },
    oAuthTokenConfig: {
      ...elements['oAuthTokenConfig'],
      anotherTokenConfig: { tokenGeneratorRef: 'anotherBuilder', tokenSubject: 'anotherClient' },
    },
    oAuthConfig: {
      ...elements['oAuthConfig'],
      anotherConfig: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'anotherTokenConfig' },
    },
    endpointConnection: {
      ...elements['endpointConnection'],
      anotherConn: { authenticationConfigRef: 'anotherConfig' },
    },
  }
}

function newMoment(): AssertionMoment {
  return { now: Date.now(), jwtId: randomUUID() }
}

function assertAccepted({ status, body }: Answer): void {
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(typeof body['access_token'], 'string')
}

function assertRefused({ status, body }: Answer): void {
  assert.equal(status, 401, JSON.stringify(body))
  assert.equal(body['error'], 'invalid_client')
}

test('the server accepts several new assertions, and each one only once', async (t) => {
  const { assertion, signer, send, present } = await startFarEnd(t)
  const signed = (await signAssertion(assertion, signer, newMoment())).assertion.reveal()
  assertAccepted(await send(signed))
  assertRefused(await send(signed))
  assertAccepted(await present())
})

test('the server refuses a new assertion with the jti of an earlier one', async (t) => {
  const { present } = await startFarEnd(t)
  assertAccepted(await present({}, { jwtId: 'the-only-one' }))
  assertRefused(await present({}, { now: Date.now() + 1000, jwtId: 'the-only-one' }))
  assertAccepted(await present({}, { jwtId: 'another-one' }))
})

const changedAssertions: Readonly<Record<string, Partial<JwtConfiguration>>> = {
  'for another audience': { audiences: ['https://another.example'] },
  'for no audience': { audiences: [] },
  'whose iss is not the client id': { issuer: 'https://tokenwell.example/jwt/theBuilder' },
  'whose iss is another client': { issuer: 'anotherClient' },
  'whose sub is an unknown client': { subject: 'someClient' },
  'whose sub is another client': { subject: 'anotherClient' },
  'with iss and sub of another client, signed with the key of this one': {
    issuer: 'anotherClient',
    subject: 'anotherClient',
  },
  'that expired long ago': { expiresInSeconds: -60 },
  'that is not valid yet': { notBeforeOffsetSeconds: 60 },
  'without jti': { hasJwtId: false },
}

for (const [what, changes] of Object.entries(changedAssertions))
  test(`the server refuses an assertion ${what}, and accepts the unchanged one`, async (t) => {
    const { present } = await startFarEnd(t)
    assertRefused(await present(changes))
    assertAccepted(await present())
  })

test('the server accepts an assertion from a clock that is a minute behind, and refuses one that is an hour behind', async (t) => {
  const { present } = await startFarEnd(t)
  assertAccepted(await present({}, { now: Date.now() - 60_000 }))
  assertRefused(await present({}, { now: Date.now() - 3_600_000 }))
})

test('the server accepts its own name among several audiences', async (t) => {
  const { assertion, present } = await startFarEnd(t)
  assertAccepted(await present({ audiences: ['https://another.example', ...assertion.audiences] }))
  assertRefused(await present({ audiences: ['https://another.example', 'https://one-more.example'] }))
})

test('the server refuses a foreign key, also under the kid of the right one', async (t) => {
  const { signer, present } = await startFarEnd(t)
  const foreignKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const { keyId } = signer
  assert.ok(keyId)
  assertRefused(await present({}, {}, createLocalSigner(foreignKey, { keyId })))
  assertRefused(await present({}, {}, createLocalSigner(foreignKey, {})))
  assertAccepted(await present())
})

test('the server refuses an algorithm other than the registered one', async (t) => {
  const { present } = await startFarEnd(t)
  assertRefused(await present({ algorithm: 'PS256' }))
  assertAccepted(await present())
})

test('the server refuses claims and a header that were changed after signing', async (t) => {
  const { assertion, signer, send } = await startFarEnd(t)
  const signed = (await signAssertion(assertion, signer, newMoment())).assertion.reveal()
  const [header = '', payload = '', signature = ''] = signed.split('.')
  const claims = { ...decodeJwt(signed), jti: randomUUID() }
  const forged = Buffer.from(JSON.stringify(claims)).toString('base64url')
  assertRefused(await send([header, forged, signature].join('.')))
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
  assertRefused(await send([unsigned, payload, ''].join('.')))
  assertAccepted(await send(signed))
})
