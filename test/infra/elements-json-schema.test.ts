import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { createElementsJsonSchema } from '../../infra/elements-json-schema.ts'
import { exampleIssuer } from '../support/elements/element-store.ts'
import { exampleElements } from '../support/elements/elements.ts'

const root = join(import.meta.dirname, '..', '..')
const isValid = new Ajv({ allErrors: true }).compile(createElementsJsonSchema())

test('the JSON Schema for editors is made from the schema that reads the elements', async () => {
  const path = join('lib', 'configuration', 'elements.schema.json')
  const written = await readFile(join(root, path), 'utf8')
  const made = `${JSON.stringify(createElementsJsonSchema(), undefined, 2)}\n`
  assert(written === made, `${path} is out of date: run npm run schema`)
})

test('the elements of the local run are valid, and name the schema', async () => {
  const path = join(root, 'infra', 'local', 'elements.json')
  const elements = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  isValid(elements)
  assert.deepEqual(isValid.errors, null)
  assert.equal(
    join(path, '..', String(elements['$schema'])),
    join(root, 'lib', 'configuration', 'elements.schema.json'),
  )
})

test('a value that the store accepts in several forms is valid in each', () => {
  const builders = [
    { jti: 'true', expiresInSeconds: '1m30s', audiences: 'https://a.example' },
    { jti: true, expiresInSeconds: 90, audiences: ['https://a.example'] },
  ]
  for (const builder of builders)
    for (const claims of [{ a: 1 }, '{ "a": 1 }'])
      for (const id of ['theServer', undefined])
        assert(isValid(exampleElements(exampleIssuer, { builder, tokenConfig: { claims }, server: id ? { id } : {} })))
})

test('the members of an object that is an attribute are checked as attributes are', () => {
  const withToken = (more: object) => ({ authToken: { theToken: { authServerRef: 'theServer', ...more } } })
  const tokenRequest = { requestMethod: 'PUT', requestBody: { a: [{ b: { password: true } }] }, bodyFormat: 'JSON' }
  assert(isValid(withToken({ tokenRequest, tokenResponse: { responseFormat: 'JSON', tokenPath: 'a.b' } })))
  for (const wrong of [{ requestMethod: 'put' }, { requestMetod: 'PUT' }, { requestBody: '{}' }, { header: '' }])
    assert(!isValid(withToken({ tokenRequest: wrong })), JSON.stringify(wrong))
  assert(!isValid(withToken({ tokenResponse: { responseFormat: 'TEXT' } })))
})

test('an unknown kind, an unknown or missing attribute, a wrong value and an invalid id are not valid', () => {
  const wrong = [
    { ...exampleElements(exampleIssuer), zosconnect_oAuthConfig: {} },
    exampleElements(exampleIssuer, { builder: { keyStorRef: 'x' } }),
    exampleElements(exampleIssuer, { server: { proxyConfig: 'x' } }),
    { proxyConfig: { theProxy: { host: 'proxy.example.com', port: 3128, type: 'HTTP' } } },
    { proxyConfig: { theProxy: { host: 'proxy.example.com' } } },
    { keyStore: { theKeys: {} } },
    { keyStore: { 'the keys': { location: 'tokenwell/local/keys' } } },
    exampleElements(exampleIssuer, { builder: { signatureAlgorithm: 'none' } }),
    exampleElements(exampleIssuer, { builder: { jti: 'yes' } }),
  ]
  for (const elements of wrong) assert.equal(isValid(elements), false, JSON.stringify(elements))
})
