import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { exampleIssuer } from '../support/elements/element-store.ts'
import type { RawElements } from '../support/elements/elements.ts'
import { connectionOfKind, mergedElements, printableSecret, sharedElements } from '../support/elements/token-kinds.ts'
import { startCallApiWithScriptedServers } from '../support/functions/call-api-with-scripted-servers.ts'
import { tokenAnswer } from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest, writeSecret } from '../support/functions/load-function.ts'
import { leaks, overhear, plant } from '../support/output/canary.ts'
import { captureLog } from '../support/output/captured-log.ts'
import { root } from '../support/process/local-run.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import type { ReceivedCall, ScriptedAnswer } from '../support/servers/scripted-api.ts'

/* What an API or a caller makes of the credentials of a call, and what an operator may write into elements by mistake. */

/** A user with a password in Authorization, a JWT and a token of a token server in headers of their own. */
function withThreeCredentials(made: RawElements): RawElements {
  const server = Object.values(made['authorizationServer'] ?? {})[0]
  return {
    authorizationServer: { theServer: server ?? {} },
    authData: { theUser: { user: 'theUser', passwordSecret: 'tokenwell/local/the-api-password' } },
    authTokenLocal: {
      theJwt: { tokenGeneratorRef: 'theBuilder', tokenSubject: 'x', header: 'x-jwt', cacheTokensWithJti: true },
    },
    authToken: {
      theSession: {
        authServerRef: 'theServer',
        jwtAuthenticationTokenRef: 'theTokenConfig',
        tokenResponse: { responseFormat: 'JSON', tokenPath: 'access_token', expiresPath: 'expires_in' },
        header: 'x-session',
        useBearerScheme: false,
      },
    },
    endpointConnection: {
      conn: { ...made['endpointConnection']?.['conn'], authenticationConfigRef: ['theUser', 'theJwt', 'theSession'] },
    },
  }
}

const credentialsOf = ({ headers }: ReceivedCall) =>
  [headers.authorization, headers['x-jwt'], headers['x-session']].map((each) =>
    String(each).replace(/^(Bearer|Basic) /, ''),
  )

/** Answers that Tokenwell turns into an error or a log line of its own, by the path of the call. */
const quoting: Readonly<Record<string, (request: ReceivedCall) => ScriptedAnswer | undefined>> = {
  '/rejected': (request) => ({
    status: 401,
    headers: {
      'www-authenticate': `Bearer error="invalid_token", error_description="${credentialsOf(request).join(' ')}"`,
    },
  }),
  '/status': (request) => ({ status: 999, headers: { 'x-seen': credentialsOf(request) } }),
  '/references': (request) => ({
    headers: {
      location: `javascript:${credentialsOf(request).join()}`,
      refresh: `0; url=data:${credentialsOf(request)[1]}`,
      link: `<${credentialsOf(request)[0]}`,
      'set-cookie': [
        `__Host-x=${credentialsOf(request)[0]}`,
        `=${credentialsOf(request)[1]}`,
        `a\x01=${credentialsOf(request)[2]}`,
      ].slice(0, 2),
      'clear-site-data': `"${credentialsOf(request)[0]}"`,
    },
  }),
  '/garbage': (request) => void request.socket.end(`${credentialsOf(request).join(' ')}\r\n\r\n`),
  '/header': (request) => void request.socket.end(`HTTP/1.1 200 OK\r\n${credentialsOf(request).join(' ')}\r\n\r\n`),
  '/control': (request) =>
    void request.socket.end(`HTTP/1.1 200 OK\r\nx: ${credentialsOf(request).join(' ')}\0\r\n\r\n`),
  '/reset': (request) =>
    void request.socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n${credentialsOf(request).join(' ')}`),
  '/coding': (request) =>
    void request.socket.end(
      `HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n4\r\n${credentialsOf(request)[0]?.slice(0, 4)}\r\n0\r\n\r\n`,
    ),
}

test('no credential of an API call leaks, whatever the API makes of it', async (t) => {
  const log = captureLog(t)
  const sent = new Set<string>()
  const { call, tokens, age, workspace } = await startCallApiWithScriptedServers(
    t,
    (request) => {
      for (const each of credentialsOf(request)) {
        plant(each)
        sent.add(each)
        if (each.startsWith('eyJ')) for (const part of each.split('.').slice(1)) sent.add(part)
      }
      return quoting[request.url]?.(request)
    },
    {
      moreElements: withThreeCredentials,
      tokens: () => tokenAnswer({ access_token: `a-session-token-${Math.random()}` }),
    },
  )
  await writeSecret(workspace, 'the-api-password', printableSecret)
  plant(printableSecret)
  for (const path of Object.keys(quoting)) {
    // A token that is not young is replaced after a 401.
    age(60_000)
    const { status } = await call({ path })
    assert.ok(status > 0, path)
  }
  assert.ok(sent.size >= 6, `${sent.size} credentials were sent`)
  const { body } = await tokens.http({ method: 'GET', path: '/connections' })
  overhear(JSON.stringify(body))
  const events = JSON.stringify(log)
  assert.match(events, /api_header_left_out/)
  assert.match(events, /request_failed|api_call_failed/)
  assert.deepEqual(leaks([...sent, printableSecret], [events, JSON.stringify(body)]), [])
  const unusable = await tokens.http(tokenRequest('conn', '', 'authentication=theUser'))
  assert.equal(unusable.status, 400, 'the password is no token')
})

test('no header of a caller takes the place of a credential, or comes beside it, in any spelling', async (t) => {
  const { call, api, workspace } = await startCallApiWithScriptedServers(t, undefined, {
    moreElements: withThreeCredentials,
  })
  await writeSecret(workspace, 'the-api-password', printableSecret)
  const basic = Buffer.from(`theUser:${printableSecret}`).toString('base64')
  for (const name of ['x-jwt', 'X-Jwt', 'X-JWT', 'x-session', 'X-SESSION', 'authorization', 'Authorization']) {
    assert.equal((await call({ headers: { [name]: 'forged' } })).status, 200, name)
    const { headers = {}, rawHeaders = [] } = api.requests.at(-1) ?? {}
    assert.equal(headers.authorization, `Basic ${basic}`, name)
    assert.match(String(headers['x-jwt']), /^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/, name)
    assert.match(String(headers['x-session']), /^some-token-\d+$/, name)
    assert.ok(!rawHeaders.includes('forged'), name)
  }
  for (const [name, value] of Object.entries({ connection: 'x-jwt', 'x-jwt ': 'forged', te: 'x-jwt' })) {
    const { status } = await call({ headers: { [name]: value } })
    const { headers = {} } = api.requests.at(-1) ?? {}
    assert.ok(status >= 400 || String(headers['x-jwt']).startsWith('Bearer eyJ'), name)
  }
})

const written = 'correct horse battery staple'
const pem = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))

/** An operator wrote the secret itself at the place of a name, of a path or of a header. */
const misplaced: readonly RawElements[] = [
  connectionOfKind('json-body', 'a', `${exampleIssuer}/a`, {
    authToken: { tokenRequest: { credentialLocation: 'body', requestBody: { key: { secret: written } } } },
  }),
  connectionOfKind('json-body', 'b', `${exampleIssuer}/b`, {
    authToken: { tokenRequest: { credentialLocation: 'body', requestBody: { secret: written } } },
  }),
  connectionOfKind('named-headers', 'c', `${exampleIssuer}/c`, {
    authToken: { tokenRequest: { userHeader: written, passwordHeader: written } },
  }),
  connectionOfKind('basic', 'd', `${exampleIssuer}/d`, {
    authToken: { tokenResponse: { responseFormat: 'JSON', tokenPath: written, expiresPath: written }, header: written },
  }),
  connectionOfKind('basic', 'e', `${exampleIssuer}/e`, { server: { headers: { 'x-api-key': { secret: written } } } }),
  connectionOfKind('basic', 'f', `${exampleIssuer}/f`, {
    authToken: { tokenRequest: { requestMethod: written, password: written } },
  }),
  connectionOfKind('basic', 'g', `${exampleIssuer}/g`, { authToken: { authServerRef: written } }),
  { authData: { theUser: { user: 'u', passwordSecret: written } } },
  {
    authTokenLocal: {
      h: { tokenGeneratorRef: written, tokenSubject: 7, claims: written, cacheTokensWithJti: written },
    },
    endpointConnection: { h: { authenticationConfigRef: ['h', written] } },
  },
]

test('validate prints no secret that an element has in place of something else, and none that it reads', async (t) => {
  const elements = mergedElements(sharedElements(exampleIssuer), ...misplaced)
  const bare = mergedElements(
    sharedElements(exampleIssuer),
    connectionOfKind('named-headers', 'a', `${exampleIssuer}/a`),
    connectionOfKind('json-body', 'b', `${exampleIssuer}/b`),
    connectionOfKind('bearer-jwt', 'c', `${exampleIssuer}/c`),
  )
  const secrets = {
    'the-password': `${written}\nx`,
    'the-body-secret': pem,
    'the-header-secret': JSON.stringify({ value: written, hosts: ['other.example'] }),
  }
  const folder = await temporaryFolder(t, {
    'elements.json': JSON.stringify(elements),
    'bare.json': JSON.stringify(bare),
  })
  await mkdir(join(folder, 'secrets'))
  for (const [name, text] of Object.entries(secrets)) await writeFile(join(folder, 'secrets', name), text)
  const key = pem.split('\n')[1] ?? ''
  for (const words of [
    ['elements.json'],
    ['elements.json', '--json'],
    ['bare.json', '--secrets-folder', join(folder, 'secrets')],
  ]) {
    const output = await validate(folder, words)
    assert.match(output, /mistake/)
    assert.deepEqual(leaks([written, key], [output]), [], words.join(' '))
  }
})

function validate(folder: string, [file = '', ...words]: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const command = ['infra/toolchain/run.js', 'infra/cli/tokenwell.ts', 'validate', join(folder, file), ...words]
    execFile(process.execPath, command, { cwd: root }, (_error, stdout, stderr) => resolve(stdout + stderr))
  })
}
