import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import type { LocalFunctions } from '../../../infra/local/local-functions.ts'
import { createLocalRoutes } from '../../../infra/local/local-routes.ts'
import { forEachFunction, functionIds, functionTable } from '../../../infra/stack/function-table.ts'

/** The name of the function that answers a path. */
async function answering(path: string, method = 'GET'): Promise<string | undefined> {
  const functions = forEachFunction((_id, { name }) => async () => ({ body: name })) as unknown as LocalFunctions
  const route = createLocalRoutes(functions, { deliver: async () => {} }, 'local')
  const event = { rawPath: path, requestContext: { http: { method } } } as APIGatewayProxyEventV2
  return (await route(event, createLocalContext(Date.now()))).body
}

test('each route of the table invokes its function', async () => {
  for (const id of functionIds)
    for (const { path } of functionTable[id].routes)
      assert.equal(
        await answering(path.replace(/\{path\+\}$/, 'orders/42').replace(/\{\w+\}/g, 'some-name')),
        functionTable[id].name,
      )
})

test('a path that begins like a route goes to its function, and any other path to issue-token', async () => {
  for (const [path, name] of [
    ['/connections/conn/api/', 'call-api'],
    ['/connections/conn/api/jwt/x/jwk', 'call-api'],
    ['/connections/conn/token/api/', 'issue-token'],
    ['/connections//api/x', 'issue-token'],
    ['/jwt/', 'publish-keys'],
    ['/jwt/builder', 'publish-keys'],
    ['/jwt', 'issue-token'],
    ['/', 'issue-token'],
    ['/nowhere', 'issue-token'],
  ] as const)
    assert.equal(await answering(path), name, path)
})
