import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { elementsFileOf } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, withoutUndefined } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { startScriptedTokenEndpoint } from '../../support/servers/scripted-token-endpoint.ts'

/* What `validate` learns from servers and APIs that describe themselves, over TLS. */

const root = join(import.meta.dirname, '..', '..', '..')
const serverPlace = '/.well-known/oauth-authorization-server'
const apiPlace = '/.well-known/oauth-protected-resource'

type Documents = (origin: string) => Readonly<Record<string, unknown>>

/** A server with these documents, by path, and the command with the server's CA as a secret. */
async function start(t: TestContext, documents: Documents) {
  const certificate = await createServerCertificate(['localhost'])
  const server = await startScriptedTokenEndpoint(
    ({ url }) => {
      const body = documents(server.issuer)[url]
      return body === undefined ? { status: 404, body: {} } : { body }
    },
    { certificate },
  )
  t.after(() => server.close())
  const folder = await temporaryFolder(t, { 'authorization-server-ca': certificate.caCertificate })
  const environment = { NODE_EXTRA_CA_CERTS: join(folder, 'authorization-server-ca') }
  return {
    ...server,
    run: async (...args: string[]) => await validate(args, environment),
    async discover(changes: ElementChanges) {
      const path = await elementsFileOf(t, withoutUndefined(exampleElements(server.issuer, changes)))
      const { status, lines } = await validate([path, '--discover', '--secrets-folder', folder], {})
      return { status, lines: lines.filter((line) => /^(mistake|warning)/.test(line)) }
    },
  }
}

async function validate(args: readonly string[], environment: Record<string, string>) {
  const command = spawn(process.execPath, ['infra/cli/tokenwell.ts', 'validate', ...args], {
    cwd: root,
    env: { ...process.env, ...environment },
  })
  const [output, errors, status] = await Promise.all([
    text(command.stdout),
    text(command.stderr),
    new Promise<number | null>((resolve) => command.on('close', resolve)),
  ])
  return { status, lines: output.split('\n').filter(Boolean), output, errors }
}

test('with --discover an issuer alone that describes itself is right, and what it contradicts is a warning', async (t) => {
  const { discover, requests } = await start(t, (origin) => ({
    [serverPlace]: {
      issuer: origin,
      token_endpoint: `${origin}/token`,
      token_endpoint_auth_methods_supported: ['client_secret_basic'],
    },
  }))
  const { status, lines } = await discover({ server: { tokenEndpoint: undefined } })
  assert.equal(status, 0)
  assert.equal(lines.length, 1)
  assert.match(
    lines[0] ?? '',
    /^warning {2}oAuthConfig\/theConfig clientAuthentication: The client authenticates with private_key_jwt\. .* lists other methods: client_secret_basic\./,
  )
  assert.ok(requests.every(({ method }) => method === 'GET'))
})

test('with --discover an issuer alone without metadata is a mistake, and with a token endpoint it is not', async (t) => {
  const { discover } = await start(t, () => ({}))
  const alone = await discover({ server: { tokenEndpoint: undefined } })
  assert.equal(alone.status, 1)
  assert.match(
    alone.lines.join(),
    /^mistake {2}authorizationServer\/theServer issuer: The issuer of .* has no metadata/,
  )
  assert.deepEqual(await discover({}), { status: 0, lines: [] })
})

test('with --discover a written token endpoint that the metadata contradicts is a warning', async (t) => {
  const { discover } = await start(t, (origin) => ({
    [serverPlace]: { issuer: origin, token_endpoint: `${origin}/oauth2/token` },
  }))
  const { lines } = await discover({})
  assert.equal(lines.length, 1)
  assert.match(
    lines[0] ?? '',
    /theServer tokenEndpoint: The metadata at .* names another token endpoint: .*\/oauth2\/token\./,
  )
})

test('with --discover the API of a connection is held against its elements', async (t) => {
  const { discover, issuer } = await start(t, (origin) => ({
    [`${apiPlace}/orders`]: {
      resource: `${origin}/orders`,
      authorization_servers: ['https://as.example.com'],
      bearer_methods_supported: ['body'],
    },
  }))
  const endpoint = { host: issuer, domainBasePath: '/orders', sslCertsRef: 'defaultSSLConfig' }
  const { lines } = await discover({ endpoint, oAuth: { resource: 'https://other.example' } })
  assert.deepEqual(
    lines.map((line) => line.split(': ')[0]),
    [
      'warning  endpointConnection/conn authenticationConfigRef',
      'warning  oAuthConfig/theConfig resource',
      'warning  endpointConnection/conn host',
    ],
  )
})

test('from the URL of an API alone it prints what the API says, and elements that are valid', async (t) => {
  const { run, issuer } = await start(t, (origin) => ({
    [`${apiPlace}/orders`]: {
      resource: `${origin}/orders`,
      authorization_servers: ['https://as.example.com/tenant'],
      scopes_supported: ['orders.read', 'bad scope'],
      bearer_methods_supported: ['header'],
    },
  }))
  const { status, output } = await run('--api', `${issuer}/orders`)
  assert.equal(status, 0)
  assert.match(output, /^authorization servers {2}https:\/\/as\.example\.com\/tenant$/m)
  assert.match(output, /^scopes {17}orders\.read$/m)
  const { elements } = JSON.parse((await run('--api', `${issuer}/orders`, '--json')).output)
  const path = await elementsFileOf(t, elements)
  assert.equal((await validate([path], {})).status, 0)
})

for (const [what, resource] of [
  ['another API', 'https://other.example/orders'],
  ['a path below it', '/orders/below'],
  ['a path that only begins alike', '/ord'],
] as const)
  test(`metadata of ${what} says nothing about an API`, async (t) => {
    const { run, issuer } = await start(t, (origin) => ({
      [`${apiPlace}/orders`]: {
        resource: new URL(resource, origin).href,
        authorization_servers: ['https://evil.example'],
      },
    }))
    const { status, output } = await run('--api', `${issuer}/orders`)
    assert.equal(status, 1)
    assert.match(output, /publishes no metadata about itself/)
    assert.doesNotMatch(output, /evil/)
  })

test('no metadata of an API writes control characters or sentences to the terminal', async (t) => {
  const endings = ['\u001b[2J', '\r\n', '#All is well. Set issuer to https://evil.example']
  for (const ending of endings) {
    const { run, issuer } = await start(t, (origin) => ({
      [`${apiPlace}/orders`]: { resource: `${origin}/orders#${ending}` },
      [apiPlace]: { resource: `${origin}/${ending}` },
    }))
    const { status, output } = await run('--api', `${issuer}/orders`)
    assert.equal(status, 1, JSON.stringify(ending))
    assert.match(output, /^The API at \S+ publishes no metadata about itself/)
  }
})

test('a URL without TLS, and an API that cannot be reached, are errors with a sentence', async (t) => {
  const { run, close, issuer } = await start(t, () => ({}))
  assert.match((await run('--api', 'http://api.example.com')).errors, /is not the URL of an API/)
  close()
  const { status, errors } = await run('--api', issuer)
  assert.equal(status, 1)
  assert.match(errors, /cannot be reached/)
})
