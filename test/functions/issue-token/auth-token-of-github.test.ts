import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { RawElements } from '../../support/elements/elements.ts'
import { type Caller, createWorkspace, startCaller } from '../../support/functions/function-caller.ts'
import { tokenRequest, writeSecret } from '../../support/functions/load-function.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import { type StrictGitHub, startStrictGitHub } from '../../support/servers/strict-github.ts'

/* Installation tokens of a GitHub App: a JWT as bearer, a body, `token` and `expires_at`. */

type Attributes = Readonly<Record<string, unknown>>

interface Changes {
  readonly builder?: Attributes
  readonly body?: Attributes
  readonly auth?: Attributes
  readonly installation?: number
}

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const pemOf = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' })
const theKey = newKey()

function elementsFor(origin: string, { builder, body, auth, installation = 42 }: Changes): RawElements {
  return {
    endpointConnection: {
      conn: { authenticationConfigRef: 'installation' },
      another: { authenticationConfigRef: 'installation' },
    },
    authToken: {
      installation: {
        authServerRef: 'github',
        jwtAuthenticationTokenRef: 'app',
        tokenRequest: { ...(body && { requestBody: body }) },
        tokenResponse: { responseFormat: 'JSON', tokenPath: 'token', expiresPath: 'expires_at' },
        ...auth,
      },
    },
    authorizationServer: {
      github: {
        tokenEndpoint: `${origin}/app/installations/${installation}/access_tokens`,
        headers: { Accept: 'application/vnd.github+json' },
        coolDownSeconds: 1,
      },
    },
    oAuthTokenConfig: { app: { tokenGeneratorRef: 'appJwt' } },
    jwtBuilder: {
      appJwt: { issuer: 'Iv1.client', keyStoreRef: 'appKey', expiresInSeconds: '5m', omit: ['aud', 'jti'], ...builder },
    },
    ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
    keyStore: {
      appKey: { location: 'tokenwell/local/app-key' },
      theTrust: { location: 'tokenwell/local/authorization-server-ca' },
    },
  }
}

interface Set extends Caller {
  readonly github: StrictGitHub
  token(): Promise<Readonly<Record<string, unknown>>>
}

/** @param skewMilliseconds how far GitHub's clock is ahead of Tokenwell's */
async function start(t: TestContext, changes: Changes = {}, skewMilliseconds = 0): Promise<Set> {
  const github = await startStrictGitHub(t, {
    appId: '12345',
    clientId: 'Iv1.client',
    installations: { 42: { permissions: { contents: 'write', metadata: 'read' }, repositories: ['one', 'two'] } },
    now: () => Date.now() + skewMilliseconds,
  })
  github.register('app', theKey.publicKey)
  const elements = elementsFor(github.origin, changes)
  const workspace = await createWorkspace(t, elements, github.certificate, { 'app-key': pemOf(theKey.privateKey) })
  const caller = await startCaller(workspace)
  return {
    ...caller,
    github,
    async token() {
      const { status, body } = await caller.http(tokenRequest('conn'))
      return { status, ...body }
    },
  }
}

function jwtOf({ accepted }: StrictGitHub, index = 0): string {
  return accepted[index]?.headers.authorization?.replace(/^Bearer /, '') ?? ''
}

test('an installation token is got once, for the permissions and repositories of the element, with its own hour', async (t) => {
  const body = { permissions: { contents: 'read' }, repositories: ['two'] }
  const { github, token } = await start(t, { body })
  const { status, access_token, expires_in } = await token()
  assert.deepEqual([status, access_token], [200, github.issued[0]], JSON.stringify(github.refusals))
  assert(Number(expires_in) > 3590 && Number(expires_in) <= 3600, String(expires_in))
  assert.equal((await token())['access_token'], access_token)
  assert.deepEqual([github.accepted.length, github.refusals], [1, []])
  assert.deepEqual(JSON.parse(String(github.accepted[0]?.body)), body)

  const { iss, iat = 0, exp = 0, ...others } = decodeJwt(jwtOf(github))
  assert.deepEqual([iss, exp - iat, others], ['Iv1.client', 300, {}])
  assert.equal(decodeProtectedHeader(jwtOf(github)).alg, 'RS256')
})

test('an installation token without a body is for all that the installation has', async (t) => {
  const { github, token } = await start(t)
  assert.equal((await token())['access_token'], github.issued[0])
  assert.equal(github.accepted[0]?.body.length, 0)
})

for (const [where, seconds] of [
  ['ahead of', 290],
  ['behind', -290],
] as const)
  test(`a clock of GitHub that is ${Math.abs(seconds)} s ${where} Tokenwell's costs one more request, and the end of the token is by its clock`, async (t) => {
    const { github, token } = await start(t, { builder: { expiresInSeconds: '60s' } }, seconds * 1000)
    const { status, access_token, expires_in } = await token()
    assert.deepEqual([status, access_token], [200, github.issued[0]], JSON.stringify(github.refusals))
    assert(Number(expires_in) > 3590 && Number(expires_in) <= 3600, String(expires_in))
    assert.deepEqual([github.accepted.length, github.refusals.length], [1, 1])
  })

test('an iat 60 s back, as GitHub advises, needs no second request while clocks differ by less', async (t) => {
  const { github, token } = await start(t, { builder: { issuedAtOffset: '-60s' } }, -50_000)
  assert.equal((await token())['access_token'], github.issued[0])
  assert.deepEqual(github.refusals, [])
})

test('a key that GitHub has replaced is read again after its refusal', async (t) => {
  const { http, github, workspace } = await start(t)
  assert.equal((await http(tokenRequest('conn'))).status, 200)
  const other = newKey()
  github.register('app', other.publicKey)
  await writeSecret(workspace, 'app-key', pemOf(other.privateKey))
  assert.equal((await http(tokenRequest('another'))).status, 200)
  assert.deepEqual([github.issued.length, github.refusals], [2, ['A JSON web token could not be decoded']])
})

test('with a rotated set of keys, GitHub may know the previous key alone: then that one signs the second attempt', async (t) => {
  const hour = 3_600
  const now = Math.floor(Date.now() / 1000)
  const current = newKey()
  const jwkOf = (key: KeyObject, kid: string, signsFrom: number, signsUntil: number) => ({
    ...key.export({ format: 'jwk' }),
    ...{ kid, use: 'sig', alg: 'RS256', signsFrom, signsUntil },
  })
  const { github, token, workspace } = await start(t, { builder: { keyStoreRef: undefined, jwkEnabled: true } })
  const keys = [
    jwkOf(current.privateKey, 'current', now - hour, now + hour),
    jwkOf(theKey.privateKey, 'previous', now - 9 * hour, now - hour),
  ]
  await writeSecret(workspace, 'jwk/appJwt', JSON.stringify({ keys }))
  assert.equal((await token())['access_token'], github.issued[0])
  assert.deepEqual(github.refusals, ['A JSON web token could not be decoded'])
  assert.equal(decodeProtectedHeader(jwtOf(github)).kid, 'previous')
})

const refusals: readonly (readonly [string, Changes, number, string, RegExp])[] = [
  [
    'an unknown app',
    { builder: { issuer: 'Iv1.other' } },
    500,
    'http_404',
    /http_404 \(message: Integration not found; .*\)\. Check tokenEndpoint of authorizationServer\/github: the server does not know this address, or not for this client\./,
  ],
  ['an unknown installation', { installation: 43 }, 500, 'http_404', /http_404 \(message: Not Found; /],
  [
    'permissions that the installation has not',
    { body: { permissions: { issues: 'write' } } },
    500,
    'http_422',
    /http_422 \(message: The permissions requested are not granted to this installation\.; /,
  ],
  [
    'a JWT that lives too long',
    { builder: { expiresInSeconds: '11m' } },
    502,
    'http_401',
    /http_401 \(message: 'Expiration time' claim \('exp'\) is too far in the future; /,
  ],
  [
    'a JWT with an audience',
    { builder: { omit: 'jti', audiences: 'https://api.github.com' } },
    502,
    'http_401',
    /http_401 \(message: A JSON web token could not be decoded; /,
  ],
]

for (const [what, changes, code, error, reason] of refusals)
  test(`GitHub's refusal of ${what} is told in its words, and blames no access_token`, async (t) => {
    const events = captureLog(t)
    const { github, token } = await start(t, changes)
    const { status, error_description } = await token()
    assert.deepEqual([status, github.refusals.length], [code, 1], JSON.stringify([error_description, github.refusals]))
    const refused = events.find((each) => each.event === 'token_request_refused')
    assert.deepEqual([refused?.error, refused?.clientId], [error, changes.builder?.['issuer'] ?? 'Iv1.client'])
    assert.match(String(refused?.reason), reason)
    assert.doesNotMatch(JSON.stringify([events, error_description]), /access_token[^s]|token_type|RFC 6749/)
  })
