import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { type EndedRun, runShell, runToEnd, startServing } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/* The local run as a new user starts it: a separate process, a real authorization server, real ports. */

test('npm start -- --once prints every step of the first token and ends with exit code 0', async (t) => {
  const { status, output } = await runToEnd(['--once'], { TOKENWELL_FOLDER: await temporaryFolder(t) })
  assert.equal(status, 0, output)
  for (const step of [
    /A token for the connection conn, by HTTP \(the caller is "local"\):/,
    /Read the elements of the connection conn and followed their references in \d+ ms\./,
    /Made the client authentication private_key_jwt in \d+ ms\./,
    /POST https:\/\/localhost:\d+\/token/,
    /grant_type=client_credentials/,
    /header \{"alg":"RS256","typ":"JWT","kid":"[\w-]+"\}/,
    /claims \{"iss":"myClientId","aud":"https:\/\/localhost:\d+","exp":\d+,"jti":"[\w-]+".*"sub":"myClientId","iat":\d+\}/,
    /answered 200/,
    /"access_token":"\(\d+ characters\)"/,
    /myAuthServer issued a token in \d+ ms\./,
    /The caller \w+ got a token from: server\. It is valid for \d+ s\./,
    /A call through the connection orders, by HTTP \(the caller is "local"\), GET http:\/\/127\.0\.0\.1:\d+\/connections\/orders\/api\/42/,
    /resource=https:\/\/api\.server\.com\/orders/,
    /GET https:\/\/localhost:\d+\/orders\/42 with the token\n +answered 200\n +\{"id":"42","item":"tea","quantity":2\}\n/,
    /The API of the connection orders answered with status 200 in \d+ ms\./,
  ])
    assert.match(output, step)
  assert.doesNotMatch(output, /\/jwks|answered 4/)
  assert.doesNotMatch(output, /eyJ/, 'no assertion')
  assert.doesNotMatch(output, /WARNING/)
})

test('npm start serves, the printed curl line works and gets tokens from memory, and a signal ends it', async (t) => {
  const run = await startServing(t, { TOKENWELL_FOLDER: await temporaryFolder(t) })
  const { status, output } = await runShell(run.curl)
  assert.equal(status, 0)
  const answer = JSON.parse(output)
  assert.equal(answer.source, 'memory')
  assert.equal(answer.token_type, 'Bearer')
  assert.equal(await run.end(), 0)
})

test('npm start serves the orders API too, with the printed line and with other methods', async (t) => {
  const run = await startServing(t, { TOKENWELL_FOLDER: await temporaryFolder(t) })
  const [, printed = ''] = /^(curl -s \S+\/api\/42)$/m.exec(await run.until(/^curl .*\/api\/.*\n/m)) ?? []
  assert.deepEqual(await runShell(printed), { status: 0, output: '{"id":"42","item":"tea","quantity":2}\n' })

  const api = `${run.url}/connections/orders/api`
  const added = await fetch(`${api}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer the-one-of-the-caller' },
    body: '{"item":"coffee"}',
  })
  assert.deepEqual([added.status, added.headers.get('location')], [201, '/connections/orders/api/43'])
  assert.deepEqual(await (await fetch(`${api}/43`)).json(), { item: 'coffee', id: '43' })
  const head = await fetch(`${api}/43`, { method: 'HEAD' })
  assert.deepEqual([head.status, await head.text()], [200, ''])
  const missing = await fetch(`${api}/44`)
  assert.deepEqual([missing.status, missing.headers.get('proxy-status')], [404, null])
  assert.equal((await fetch(`${api}/a%25b`)).status, 400)
  assert.equal((await fetch(api)).status, 404)
  await run.until(/The API of the connection orders answered with status 404 in \d+ ms\./)
  assert.doesNotMatch(await run.until(/400 invalid_request/), /eyJ|coffee|of-the-caller/)
})

test('npm start serves only this machine, and failures are printed at the terminal', async (t) => {
  const folder = await temporaryFolder(t)
  const run = await startServing(t, { TOKENWELL_FOLDER: folder })
  assert.ok(existsSync(join(folder, 'secrets', 'default-key')))
  // Linux routes all of 127.0.0.0/8 to this machine, so a server that listens on every address would answer.
  await assert.rejects(fetch(run.url.replace('127.0.0.1', '127.0.0.2')))

  assert.equal((await fetch(`${run.url}/connections/nowhere/token`, { method: 'POST' })).status, 404)
  const output = await run.until(/404 unknown_connection: .*nowhere/)
  assert.doesNotMatch(output, /^\{/m, 'events are told in words')
})

test('the first token is for conn, or for the first connection that needs no user', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'elements.json')
  const base = exampleElements('https://localhost:9')
  const elements = {
    ...base,
    ssl: {},
    oAuthConfig: {
      ...base['oAuthConfig'],
      users: { grantType: 'password', authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig' },
    },
  }
  const [users, others] = [{ authenticationConfigRef: 'users' }, { authenticationConfigRef: 'theConfig' }]
  for (const [endpointConnection, first] of [
    [{ a: users, b: others, conn: others }, 'conn'],
    [{ a: users, b: others, c: others }, 'b'],
    [{ a: users }, 'a'],
  ] as const) {
    await writeFile(path, JSON.stringify({ ...elements, endpointConnection }))
    const { output } = await runToEnd(['--once'], { TOKENWELL_FOLDER: folder, TOKENWELL_ELEMENTS: path })
    assert.match(output, new RegExp(`A token for the connection ${first}, `))
  }
})

test('elements with tokens that Tokenwell signs need no server: the key is made, and the first token comes', async (t) => {
  const folder = await temporaryFolder(t)
  const elements: RawElements = {
    endpointConnection: { store: { authenticationConfigRef: 'storeToken', host: 'https://api.store.example' } },
    authTokenLocal: { storeToken: { tokenGeneratorRef: 'storeKey' } },
    jwtBuilder: { storeKey: { issuer: 'me', audiences: ['the-store'], signatureAlgorithm: 'ES256', jwkEnabled: true } },
  }
  await writeFile(join(folder, 'own.json'), JSON.stringify(elements))
  const { status, output } = await runToEnd(['--once'], {
    TOKENWELL_FOLDER: folder,
    TOKENWELL_ELEMENTS: join(folder, 'own.json'),
  })
  assert.equal(status, 0, output)
  for (const line of [
    /secrets {4}new in .*secrets: jwk\/storeKey\n/,
    /api {8}register a key of Tokenwell at https:\/\/api\.store\.example:\n/,
    /public keys {5}\{"keys":\[\{"kty":"EC"/,
    /authTokenLocal\/storeToken: a JWT that Tokenwell signs with ES256\n/,
    /The caller local got a token from: server\./,
  ])
    assert.match(output, line)
  assert.doesNotMatch(output, /eyJ|server {5}https/)
})

test('PORT sets the port, and a port in use is a message and exit code 1', async (t) => {
  const blocker = await occupy(t, 0)
  const folder = await temporaryFolder(t)
  const { status, output } = await runToEnd([], { TOKENWELL_FOLDER: folder, PORT: String(blocker) })
  assert.equal(status, 1)
  assert.match(output, new RegExp(`Port ${blocker} is in use\\. Free it or set PORT to another one`))
  assert.doesNotMatch(output, /\n\s+at /, 'no stack')

  const wrong = await runToEnd([], { TOKENWELL_FOLDER: folder, PORT: 'http' })
  assert.equal(wrong.status, 1)
  assert.match(wrong.output, /PORT is "[^"]*"\. It must be a number/)
})

test('if 8787, 9443 and 9444 are in use, the next free ports are used', async (t) => {
  await occupy(t, 8787)
  await occupy(t, 9443, 'localhost')
  await occupy(t, 9444, 'localhost')
  const run = await startServing(t, { TOKENWELL_FOLDER: await temporaryFolder(t) })
  assert.doesNotMatch(run.curl, /:8787\//)
  assert.doesNotMatch(run.output, /localhost:944[34]/)
  assert.match(run.output, /The API of the connection orders answered with status 200/)
  assert.equal(JSON.parse((await runShell(run.curl)).output).source, 'memory')
})

test('an elements file without valid JSON is a message with line and column, and exit code 1', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'broken.json')
  await writeFile(path, '{\n  "jwtBuilder": {\n')
  const { status, output } = await runToEnd(['--once'], { TOKENWELL_FOLDER: folder, TOKENWELL_ELEMENTS: path })
  assert.equal(status, 1)
  assert.match(output, /broken\.json does not contain valid JSON: .* at line 3, column 1/)
  assert.doesNotMatch(output, /\n\s+at /, 'no stack')
})

test('for elements with mistakes, every mistake and what to do is printed, and the exit code is 1', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'elements.json')
  const elements = exampleElements('https://localhost:9', { builder: { expiresInSecond: 1 }, server: { issuer: 7 } })
  await writeFile(path, JSON.stringify(elements))
  const { status, output } = await runToEnd(['--once'], { TOKENWELL_FOLDER: folder, TOKENWELL_ELEMENTS: path })
  assert.equal(status, 1)
  assert.match(output, /jwtBuilder\/theBuilder expiresInSecond: .*Did you mean expiresInSeconds/)
  assert.match(output, /authorizationServer\/theServer issuer: It must be a non-empty text/)
  assert.match(output, /npm run validate/)
})

test('for an authorization server that does not run, the output says what to check, and the exit code is 1', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'elements.json')
  await writeFile(path, JSON.stringify({ ...exampleElements('https://localhost:9'), ssl: {} }))
  const { status, output } = await runToEnd(['--once'], { TOKENWELL_FOLDER: folder, TOKENWELL_ELEMENTS: path })
  assert.equal(status, 1)
  assert.match(output, /The token endpoint of theServer cannot be reached: no server listens there \(ECONNREFUSED\)/)
  assert.match(output, /No token: the authorization server cannot be used\. The reason above says what to check\./)
})

test('for an authorization server that refuses, the output has its code and the key to register, and the exit code is 1', async (t) => {
  const folder = await temporaryFolder(t)
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const path = join(folder, 'elements.json')
  const elements = exampleElements(set.server.issuer)
  await writeFile(path, JSON.stringify({ ...elements, ssl: { defaultSSLConfig: {} } }))
  const { status, output } = await runToEnd(['--once'], {
    TOKENWELL_FOLDER: folder,
    TOKENWELL_ELEMENTS: path,
    NODE_EXTRA_CA_CERTS: join(set.workspace.secretsFolder, 'authorization-server-ca'),
  })
  assert.equal(status, 1)
  const [, block = ''] =
    new RegExp(`register theClient at ${set.server.issuer}/token:\n((?: {13}.*\n)+)`).exec(output) ?? []
  assert.match(block, /^ +authentication {2}private_key_jwt, signed with RS256\n +grant type {6}client_credentials\n/)
  assert.match(block, /^ +public keys +\{"keys":\[\{"kty":"RSA",.*"alg":"RS256"/m)
  assert.match(block, /^ +or, from AWS +jwks_uri <publicUrl>\/jwt\/theBuilder\/jwk$/m)
  assert.doesNotMatch(output, /"d":/)
  assert.match(output, /theServer refused the token request: invalid_client/)
  assert.match(output, /Check that it knows this client/)
})

test("a user's elements that expect the server on 9443 are not rewritten, and a port in use is a message and exit code 1", async (t) => {
  await occupy(t, 9443, 'localhost')
  const folder = await temporaryFolder(t)
  const path = join(folder, 'elements.json')
  await writeFile(path, JSON.stringify(exampleElements('https://localhost:9443')))
  const { status, output } = await runToEnd(['--once'], { TOKENWELL_FOLDER: folder, TOKENWELL_ELEMENTS: path })
  assert.equal(status, 1)
  assert.match(
    output,
    /Port 9443 is in use\. .* Another npm start probably uses the port: stop it .* PORT does not change/,
  )
})

test("a user's elements get the protected API if a connection names it, and no API of the user is called unasked", async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'elements.json')
  const base = exampleElements('https://localhost:9443')
  const run = async (host: string, port: number) => {
    const orders = { host, port, domainBasePath: '/orders', authenticationConfigRef: 'theConfig' }
    await writeFile(path, JSON.stringify({ ...base, endpointConnection: { ...base['endpointConnection'], orders } }))
    return runUnlessTaken(9443, { TOKENWELL_FOLDER: folder, TOKENWELL_ELEMENTS: path })
  }
  const theirs = await run('https://127.0.0.1', 9444)
  assert.equal(theirs.status, 0, theirs.output)
  assert.doesNotMatch(theirs.output, /^ +api|A call through/m)

  await occupy(t, 9444, 'localhost')
  const ours = await run('https://localhost', 9444)
  assert.equal(ours.status, 1)
  assert.match(ours.output, /Port 9444 is in use\. Your elements expect the protected API of the local run there/)
})

const basicClient = {
  authorizationServer: (issuer: string) => ({ tokenEndpoint: `${issuer}/token`, basicAuthRef: 'corpClient' }),
  authData: { corpClient: { user: 'corp', passwordSecret: 'tokenwell/local/corp-secret' } },
}

test('clients of other servers are printed too if elements also use the server of the run, and get no client secret', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'elements.json')
  const base = exampleElements('https://localhost:9443')
  await writeFile(
    path,
    JSON.stringify({
      ...base,
      authorizationServer: {
        ...base['authorizationServer'],
        corpServer: basicClient.authorizationServer('https://as.corp.example'),
      },
      oAuthConfig: { ...base['oAuthConfig'], corpConfig: { authServerRef: 'corpServer', scope: 'a b' } },
      endpointConnection: { ...base['endpointConnection'], corp: { authenticationConfigRef: 'corpConfig' } },
      authData: basicClient.authData,
    }),
  )
  const { status, output } = await runUnlessTaken(9443, { TOKENWELL_FOLDER: folder, TOKENWELL_ELEMENTS: path })
  assert.equal(status, 0, output)
  assert.match(output, /^ +secrets +new in .*\/secrets: jwk\/theBuilder$/m)
  assert.match(
    output,
    /client +register corp at https:\/\/as\.corp\.example\/token:\n +authentication +client_secret_basic\n.*\n +scope +a b\n +client secret +Write the one that the server gives you to .*\/secrets\/corp-secret\.$/m,
  )
  assert.doesNotMatch(output, /register theClient/)
  assert.ok(!existsSync(join(folder, 'secrets', 'corp-secret')))
})

test('without a first token it serves all the same, and a secret or an element that is added while it runs takes effect', async (t) => {
  const folder = await temporaryFolder(t)
  const theirs = await startIssueTokenWithOidcProvider(
    t,
    (issuer) => ({
      ...exampleElements(issuer, { oAuth: { jwtAuthenticationTokenRef: undefined } }),
      authorizationServer: { theServer: basicClient.authorizationServer(issuer) },
      authData: basicClient.authData,
    }),
    { secrets: { 'corp-secret': 'what-the-server-gave' } },
  )
  const { issuer } = theirs.server
  const path = join(folder, 'elements.json')
  const elements = {
    oAuthConfig: { corpConfig: { authServerRef: 'corpServer' } },
    authorizationServer: { corpServer: basicClient.authorizationServer(issuer) },
    authData: basicClient.authData,
    endpointConnection: { corp: { authenticationConfigRef: 'corpConfig' } },
  }
  await writeFile(path, JSON.stringify(elements))
  const run = await startServing(t, {
    TOKENWELL_FOLDER: folder,
    TOKENWELL_ELEMENTS: path,
    NODE_EXTRA_CA_CERTS: join(theirs.workspace.secretsFolder, 'authorization-server-ca'),
    PORT: '0',
  })
  assert.match(run.output, /The secret tokenwell\/local\/corp-secret does not exist\. Create the file /)
  assert.match(run.output, /No token: the elements or secrets have mistakes\./)
  assert.match(run.output, /Changes of elements and secrets take effect while it runs\./)
  const ask = async () => (await fetch(`${run.url}/connections/corp/token`, { method: 'POST' })).status
  assert.equal(await ask(), 500)

  await mkdir(join(folder, 'secrets'), { recursive: true })
  await writeFile(join(folder, 'secrets', 'corp-secret'), 'what-the-server-gave\n')
  for (let tries = 0; tries < 60 && (await ask()) !== 200; tries++) await pause(500)
  assert.equal(await ask(), 200)

  const added = exampleElements(issuer)
  await writeFile(path, JSON.stringify({ ...added, ...merged(added, elements), ssl: {} }))
  // The secret is watched, too, so the lines can come in another order.
  for (const line of [
    /secrets +new in .*: jwk\/theBuilder\n/,
    /client +register theClient at /,
    /jwtBuilder\/theBuilder publishes public keys: 1\./,
  ])
    await run.until(line)
  assert.equal((await fetch(`${run.url}/jwt/theBuilder/jwk`)).status, 200)
})

function merged(one: RawElements, other: RawElements): RawElements {
  return Object.fromEntries(Object.entries(other).map(([kind, byId]) => [kind, { ...one[kind], ...byId }]))
}

test('--help prints the usage and gives exit code 0, and an unknown option gives exit code 1', async () => {
  const help = await runToEnd(['--help'], {})
  assert.equal(help.status, 0)
  assert.match(help.output, /^Usage: npm start -- \[options\]\n[\s\S]*--once[\s\S]*TOKENWELL_FOLDER/)
  const { status, output } = await runToEnd(['--one'], {})
  assert.equal(status, 1)
  assert.match(output, /unknown option '--one'\n\(Did you mean --once\?\)/)
  assert.doesNotMatch(output, /\n\s+at /, 'no stack')
})

/** Runs again while another test uses the port. */
async function runUnlessTaken(port: number, environment: Record<string, string>): Promise<EndedRun> {
  for (let tries = 0; ; tries++) {
    const run = await runToEnd(['--once'], environment)
    if (tries === 60 || !run.output.includes(`Port ${port} is in use`)) return run
    await pause(1_000)
  }
}

/** Takes a port until the test ends. Waits for it while another test uses it. */
async function occupy(t: TestContext, port: number, host = '127.0.0.1'): Promise<number> {
  const server = createServer()
  t.after(() => server.close())
  for (let attempt = 0; attempt < 900; attempt++) {
    const listening = once(server, 'listening').then(
      () => true,
      () => false,
    )
    server.listen(port, host)
    if (await listening) return (server.address() as { port: number }).port
    await pause(100)
  }
  throw new Error(`port ${port} was never free`)
}
