import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { STATUS_CODES } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { createOpenapi } from '../../../infra/openapi/document.ts'
import { operationOf } from '../../../infra/openapi/operations.ts'
import { functionIds, functionTable, type Route } from '../../../infra/stack/function-table.ts'
import { ApiCallError } from '../../../lib/api-call/api-endpoint.ts'
import { apiCallErrorCodes } from '../../../lib/base/tokenwell-error.ts'
import { errorAnswer } from '../../../lib/http-interface/error-answer.ts'
import { root, startServing } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly responses: Readonly<Record<string, Response>>
    readonly schemas: Readonly<Record<string, Schema>>
  }
}

interface Schema {
  readonly properties?: Readonly<
    Record<string, { readonly enum?: readonly string[]; readonly examples?: readonly string[] }>
  >
}

interface Operation {
  readonly operationId: string
  readonly security?: readonly object[]
  readonly responses: Readonly<Record<string, Response & { readonly $ref?: string }>>
}

interface Response {
  readonly headers?: Readonly<Record<string, object>>
  readonly content?: Readonly<Record<string, object>>
}

const path = join(root, 'functions', 'openapi.json')
const written = readFileSync(path, 'utf8')
const document = JSON.parse(written) as Document
const operations = Object.values(document.paths).flatMap((item) => Object.values(item))

test('functions/openapi.json is the one that the code makes', () => {
  const made = `${JSON.stringify(createOpenapi(), undefined, 2)}\n`
  assert.ok(written === made, 'functions/openapi.json is out of date. Run npm run openapi.')
})

test('the document is valid OpenAPI 3.1, and each reference leads somewhere', async () => {
  const validator = new Validator()
  const { valid, errors } = await validator.validate(path)
  assert.ok(valid, JSON.stringify(errors))
  assert.equal(validator.version, '3.1')
  const references = [...written.matchAll(/"\$ref": "#\/([^"]+)"/g)].map(([, pointer = '']) => pointer)
  assert.ok(references.length > 100)
  for (const pointer of references)
    assert.ok(
      pointer.split('/').reduce<unknown>((found, name) => Object(found)[name], document),
      pointer,
    )
})

test('a document that breaks the rules of OpenAPI is found', async () => {
  const { paths: _, ...without } = JSON.parse(written)
  const { valid } = await new Validator().validate({ ...without, info: {} })
  assert.equal(valid, false)
})

test('the document has each route of the HTTP API, and only public routes need no authorization', () => {
  const described = Object.entries(document.paths).flatMap(([route, item]) =>
    Object.entries(item).map(([method, { security }]) => `${method} ${route} ${security === undefined}`),
  )
  const routes = functionIds.flatMap((id) => functionTable[id].routes as readonly Route[])
  const expected = routes.flatMap(({ path: route, methods, whyPublic }) => {
    const all = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
    const named = methods.flatMap((method) => (method === 'ANY' ? all : [method]))
    return named.map((method) => `${method.toLowerCase()} ${route.replace('+', '')} ${whyPublic === undefined}`)
  })
  assert.deepEqual(described.sort(), expected.sort())
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
})

test('a route without a description is an error that says where to add it', () => {
  assert.throws(
    () => operationOf({ path: '/new', methods: ['GET'] }, 'get'),
    /operations\.ts does not describe get \/new/,
  )
})

const page = readFileSync(join(root, 'functions', 'README.md'), 'utf8')

test('functions/README.md lists each status with its error codes, as the document does', () => {
  const rows = tableOf('## How a failure is answered')
  const listed = new Set(
    rows.flatMap(({ statuses, codes }) => statuses.flatMap((status) => codes.map((code) => `${status} ${code}`))),
  )
  const expected = Object.entries(document.components.schemas).flatMap(([name, { properties }]) => {
    const [status] =
      Object.entries(STATUS_CODES).find(([, phrase]) => phrase?.replaceAll(/[^A-Za-z]/g, '') === name) ?? []
    // The table of calls has these two.
    if (status === undefined || ['413', '415'].includes(status)) return []
    const { enum: codes, examples = [] } = properties?.['error'] ?? {}
    return (codes ?? [...examples, 'invalid_grant']).map((code) => `${status} ${code}`)
  })
  assert.deepEqual([...listed].sort(), expected.sort())
})

test('functions/README.md lists each error of a call with its status', () => {
  const listed = tableOf('### Errors of a call').flatMap(({ statuses, codes }) =>
    codes.filter((code) => isCallError(code)).map((code) => `${code} ${statuses}`),
  )
  const expected = apiCallErrorCodes.map((code) => {
    return `${code} ${errorAnswer(new ApiCallError(code, 'An example.', { wasSent: true })).status}`
  })
  assert.deepEqual(listed.sort(), expected.sort())
})

/** The rows of the first table below a heading: what happened, the status, and error codes. */
function tableOf(heading: string) {
  const [, below = ''] = page.split(`\n${heading}\n`)
  const [table = ''] = /^\|[\s\S]*?\n\n/m.exec(below) ?? []
  return table
    .split('\n')
    .slice(2)
    .map((row) => {
      const [, , status = '', codes = ''] = row.split('|')
      return {
        statuses: status.match(/\d{3}/g) ?? [],
        codes: [...codes.matchAll(/`(\w+)`/g)].map(([, code = '']) => code),
      }
    })
}

function isCallError(code: string): boolean {
  return apiCallErrorCodes.some((each) => each === code)
}

test('what the running functions answer is what the document says', async (t) => {
  const { url } = await startServing(t, { TOKENWELL_FOLDER: await temporaryFolder(t) })
  const unknownToken = 'Cq30HFlntP7ym4zfLFcERA'
  const json = { 'content-type': 'application/json' }
  for (const [method, route, at, status, init] of [
    ['post', '/connections/{connection}/token', '/connections/conn/token', 200],
    ['post', '/connections/{connection}/token', '/connections/conn-es256/token', 200, { body: 'scope=orders:read' }],
    ['post', '/connections/{connection}/token', '/connections/conn/token', 200, { body: '{"a":"b"}', headers: json }],
    ['post', '/connections/{connection}/token', '/connections/conn/token', 400, { body: 'grant_type=password' }],
    [
      'post',
      '/connections/{connection}/token',
      '/connections/conn-password/token',
      400,
      { body: 'username=a&password=b' },
    ],
    ['post', '/connections/{connection}/token', '/connections/nowhere/token', 404],
    ['delete', '/connections/{connection}/token', `/connections/conn/token?token_id=${unknownToken}`, 204],
    ['delete', '/connections/{connection}/token', '/connections/conn/token', 400],
    ['get', '/connections', '/connections', 200],
    ['get', '/connections/{connection}/api/{path}', '/connections/orders/api/42', 200],
    ['get', '/connections/{connection}/api/{path}', '/connections/nowhere/api/42', 404],
    ['get', '/connections/{connection}/api/{path}', '/connections/conn-password/api/42', 500],
    ['get', '/connections/{connection}/api/{path}', '/connections/conn/api/42', 502],
    ['patch', '/connections/{connection}/api/{path}', '/connections/orders/api/%25', 400],
    ['get', '/jwt/{jwtBuilder}/jwk', '/jwt/myJWTAuthBuilder/jwk', 200],
    ['get', '/jwt/{jwtBuilder}/jwk', '/jwt/es256Builder/jwk', 200],
    ['get', '/jwt/{jwtBuilder}/jwk', '/jwt/hs256Builder/jwk', 400],
    ['get', '/jwt/{jwtBuilder}/jwk', '/jwt/nowhere/jwk', 404],
  ] as const) {
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await fetch(`${url}${at}`, { method: method.toUpperCase(), headers: form, ...init })
    assert.equal(answer.status, status, at)
    await assertDescribed(document.paths[route]?.[method], answer)
  }
})

const ajv = new Ajv2020({ strict: false, validateFormats: false })
ajv.addSchema({ $id: 'openapi', ...document })

/** Its status, its body, which has no other member than the document says, and the headers of Tokenwell. */
async function assertDescribed(operation: Operation | undefined, answer: globalThis.Response): Promise<void> {
  const { operationId = '', responses = {} } = operation ?? {}
  const where = `${operationId} ${answer.status}`
  const response = responses[answer.status] ?? responses['default']
  assert.ok(response, where)
  const name = response.$ref?.replace('#/components/responses/', '')
  const { headers = {}, content = {} } = name === undefined ? response : (document.components.responses[name] ?? {})
  for (const header of ['retry-after', 'proxy-status', 'tokenwell-ignored'])
    if (answer.headers.has(header))
      assert.ok(
        Object.keys(headers).some((each) => each.toLowerCase() === header),
        `${where} ${header}`,
      )

  const schema = content['application/json'] as { readonly schema: object } | undefined
  const body = await answer.text()
  if (!schema) return assert.ok(body === '' || '*/*' in content, where)
  const rebased = JSON.parse(JSON.stringify(schema.schema).replaceAll('"#/', '"openapi#/'))
  const isDescribed = ajv.compile({ ...rebased, unevaluatedProperties: false })
  assert.ok(isDescribed(JSON.parse(body)), `${where} ${body} ${JSON.stringify(isDescribed.errors)}`)
}
