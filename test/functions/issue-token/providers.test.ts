import assert from 'node:assert/strict'
import type { JsonWebKey } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { slug } from 'github-slugger'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { clientsOf, localConnections } from '../../../infra/local/workspace.ts'
import { fileElements } from '../../../lib/adapters/files/file-elements.ts'
import { fileSecrets } from '../../../lib/adapters/files/file-secrets.ts'
import { validateElements } from '../../../lib/configuration/inspect-elements.ts'
import { localDeployment } from '../../support/elements/element-store.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithScriptedServer } from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import type { ReceivedRequest, ScriptedAnswer } from '../../support/servers/scripted-token-endpoint.ts'
import { createStrictJwtBearer } from '../../support/servers/strict-jwt-bearer.ts'
import { documentedRequests } from './documented-requests.ts'
import { examplesOf, headings } from './provider-examples.ts'

/*
 * The examples of lib/configuration/providers.md that get tokens of OAuth 2.0: their elements have no mistake and no warning, and the
 * token request that they make is the documented one, member by member.
 */

const examples = examplesOf('test/functions/issue-token/providers.test.ts')

test('the page has one example for each documented request', () => {
  const found = examples.map(([heading]) => heading)
  assert.deepEqual(found, Object.keys(documentedRequests))
  assert.deepEqual(headings.slice(0, found.length), found)
})

for (const [heading, elements] of examples)
  test(`${heading}: the elements have no mistake and no warning`, async (t) => {
    const path = join(await temporaryFolder(t), 'elements.json')
    await writeFile(path, JSON.stringify(elements))
    assert.deepEqual(await fileElements(path).findings(), [])
    assert.deepEqual(await validateElements(fileElements(path), localDeployment), [])
  })

/** All examples in one set, with their token endpoints below paths of this server. */
function elementsAt(issuer: string): RawElements {
  const all: RawElements = {
    ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
    keyStore: { theTrust: { location: 'tokenwell/local/authorization-server-ca' } },
  }
  for (const [heading, elements] of examples)
    for (const [kind, byId] of Object.entries(elements))
      all[kind] = { ...all[kind], ...relocated(byId, issuer, heading) }
  return all
}

function relocated(byId: RawElements[string], issuer: string, heading: string): RawElements[string] {
  return Object.fromEntries(
    Object.entries(byId).map(([id, element]) => {
      if (!('tokenEndpoint' in element)) return [id, element]
      const { pathname } = new URL(String(element['tokenEndpoint']))
      return [id, { ...element, tokenEndpoint: `${issuer}/${slug(heading)}${pathname}` }]
    }),
  )
}

test('each example gets a token by the documented request', async (t) => {
  const strict = new Map(
    Object.entries(documentedRequests).flatMap(([heading, { rules }]) =>
      rules ? [[slug(heading), createStrictJwtBearer(rules)] as const] : [],
    ),
  )
  const received = new Map<string, ReceivedRequest>()
  const set = await startIssueTokenWithScriptedServer(t, elementsAt, (request): ScriptedAnswer => {
    const [, provider = ''] = request.url.split('/')
    received.set(provider, request)
    const documented = Object.entries(documentedRequests).find(([heading]) => slug(heading) === provider)?.[1]
    return (
      strict.get(provider)?.answerTo(request) ?? {
        body: { access_token: `token-of-${provider}`, ...documented?.answer },
      }
    )
  })
  const clients = await clientsOf(set.workspace, await localConnections(set.workspace, set.issuer))
  const keys = clients.flatMap(({ jwks }) => (jwks?.keys ?? []) as JsonWebKey[])
  for (const server of strict.values()) server.register(keys)

  for (const [heading, elements] of examples)
    await t.test(heading, async () => {
      const { tokenEndpoint = '' } = Object.values(elements['authorizationServer'] ?? {})[0] ?? {}
      const { form, headers, jwts, caller, lifetime = 3600 } = documentedRequests[heading] ?? assert.fail(heading)
      const [connection = ''] = Object.keys(elements['endpointConnection'] ?? {})
      const { status, body } = await set.http(tokenRequest(connection))
      assert.equal(status, 200, JSON.stringify(body))
      for (const [member, value] of Object.entries(caller ?? {})) assert.deepEqual(body[member], value, member)

      const age = lifetime - Number(body['expires_in'])
      assert.ok(age >= 0 && age < 60, `expires_in is ${body['expires_in']}`)

      const request = received.get(slug(heading)) ?? assert.fail('no request')
      assert.equal(request.url, `/${slug(heading)}${new URL(String(tokenEndpoint)).pathname}`)
      assert.equal(request.method, 'POST')
      const secret = await secretOf(elements, set.workspace.secretsFolder)
      assert.deepEqual(readForm(request, secret), form)
      assert.equal(readAuthorization(request, secret), headers?.authorization)
      for (const [parameter, expected] of Object.entries(jwts))
        assert.deepEqual(readJwt(String(request.form.get(parameter))), expected, parameter)
    })
})

/** The client secret of an example, if it has one. */
async function secretOf({ authData = {} }: RawElements, secretsFolder: string): Promise<string | undefined> {
  const [{ passwordSecret } = {}] = Object.values(authData)
  if (passwordSecret === undefined) return undefined
  return (await fileSecrets(secretsFolder, 'local').get(String(passwordSecret))).reveal()
}

function readForm({ form }: ReceivedRequest, secret: string | undefined): Record<string, string> {
  const read = (value: string) => (value === secret ? 'the secret' : value.startsWith('eyJ') ? 'a JWT' : value)
  return Object.fromEntries([...form].map(([name, value]) => [name, read(value)]))
}

function readAuthorization({ headers }: ReceivedRequest, secret: string | undefined): string | undefined {
  const [, pair = ''] = /^Basic (.+)$/.exec(headers.authorization ?? '') ?? []
  if (pair === '') return headers.authorization
  return Buffer.from(pair, 'base64').toString().replace(`:${secret}`, ':the secret')
}

/** Header and claims, with what each JWT has anew replaced by what is demanded of it. */
function readJwt(jwt: string) {
  const { kid, ...header } = decodeProtectedHeader(jwt)
  const { iat = 0, exp = 0, jti, ...claims } = decodeJwt(jwt)
  const age = Date.now() / 1000 - iat
  assert.ok(age >= 0 && age < 60, `iat is ${age} s ago`)
  return {
    header: { ...header, ...(kid !== undefined && { kid: 'a kid' }) },
    claims: {
      ...claims,
      ...(jti !== undefined && { jti: /^[\w-]{16,128}$/.test(jti) ? '16 to 128 characters' : jti }),
    },
    lifetime: exp - iat,
  }
}
