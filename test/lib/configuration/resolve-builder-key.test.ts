import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildersOfElement, buildersOfSecret } from '../../../lib/configuration/dependents.ts'
import { resolveBuilderKey } from '../../../lib/configuration/resolve-key.ts'
import { elementStoreOf, exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

const keyStore = {
  defaultKeyStore: { location: 'tokenwell/local/default' },
  mine: { location: 'tokenwell/local/mine' },
  mineToo: { location: 'tokenwell/local/mine' },
}
const jwtBuilder = {
  made: {
    jwkEnabled: true,
    signatureAlgorithm: 'ES256',
    expiry: '1h',
    publishAheadSeconds: 600,
    jwkRotationTime: '4h',
  },
  byDefault: {},
  brought: {
    keyStoreRef: 'mine',
    keyAlias: 'a',
    signatureAlgorithm: 'PS256',
    expiresInSeconds: '60',
    expiry: '1h',
    certificateThumbprint: 'x5t',
  },
  broughtToo: { keyStoreRef: 'mineToo' },
  shared: { signatureAlgorithm: 'HS256', sharedKey: 'tokenwell/local/shared' },
  wrong: { keyStoreRef: 'nowhere' },
  outside: { keyStoreRef: 'other' },
}
const elements = {
  ...exampleElements(exampleIssuer),
  jwtBuilder,
  keyStore: { ...keyStore, other: { location: 'tokenwell/prod/mine' } },
}

test('a jwtBuilder is resolved by itself: algorithm, key and lifetime of its assertions', async (t) => {
  const store = await elementStoreOf(t, elements)
  const resolve = (id: string) => resolveBuilderKey(store, localDeployment, id)
  assert.deepEqual(await resolve('made'), {
    jwtBuilder: 'made',
    algorithm: 'ES256',
    key: {
      jwtBuilder: 'made',
      location: 'tokenwell/local/jwk/made',
      generated: { modulusLength: 2048, rotationSeconds: 14_400, publishAheadSeconds: 600 },
    },
    certificateThumbprint: 'none',
    hasCertificateChain: false,
    assertionSeconds: 3600,
  })
  assert.deepEqual(await resolve('brought'), {
    jwtBuilder: 'brought',
    algorithm: 'PS256',
    key: { jwtBuilder: 'brought', location: 'tokenwell/local/mine', alias: 'a' },
    certificateThumbprint: 'x5t',
    hasCertificateChain: false,
    assertionSeconds: 60,
  })
  const byDefault = await resolve('byDefault')
  assert.deepEqual(
    [byDefault?.algorithm, byDefault?.key, byDefault?.assertionSeconds],
    ['RS256', { jwtBuilder: 'byDefault', location: 'tokenwell/local/default' }, 120],
  )
  assert.equal((await resolve('shared'))?.algorithm, 'HS256')
})

test('a missing jwtBuilder gives undefined, and one with mistakes is an error with all of them', async (t) => {
  const store = await elementStoreOf(t, elements)
  assert.equal(await resolveBuilderKey(store, localDeployment, 'toString'), undefined)
  await assert.rejects(resolveBuilderKey(store, localDeployment, 'wrong'), {
    name: 'ConfigurationError',
    message: /^jwtBuilder\/wrong keyStoreRef: There is no keyStore element with the id "nowhere"/,
  })
  await assert.rejects(resolveBuilderKey(store, localDeployment, 'outside'), {
    name: 'ConfigurationError',
    message: /^keyStore\/other location: It names a secret of another stage\. Name a secret under tokenwell\/local\//,
  })
})

test('the jwtBuilders of a secret are found by generated keys and by key stores', async (t) => {
  const store = await elementStoreOf(t, elements)
  const of = async (name: string) => [...(await buildersOfSecret(store, localDeployment, name))].sort()
  assert.deepEqual(await of('tokenwell/local/mine'), ['brought', 'broughtToo'])
  assert.deepEqual(await of('tokenwell/local/jwk/made'), ['made'])
  assert.deepEqual(await of('tokenwell/local/nothing'), [])
  assert.ok((await of('tokenwell/local/default')).includes('byDefault'))
  assert.ok(!(await of('tokenwell/local/default')).includes('brought'))
})

test('the jwtBuilders whose keys may change with an element are found, even after it was deleted', async (t) => {
  const store = await elementStoreOf(t, elements)
  const of = async (kind: 'jwtBuilder' | 'keyStore' | 'ssl', id: string) =>
    [...(await buildersOfElement(store, { kind, id }))].sort()
  assert.deepEqual(await of('jwtBuilder', 'gone'), ['gone'])
  assert.deepEqual(await of('keyStore', 'mine'), ['brought'])
  assert.deepEqual(await of('keyStore', 'nowhere'), ['wrong'])
  assert.ok((await of('keyStore', 'defaultKeyStore')).includes('byDefault'))
  assert.deepEqual(await of('ssl', 'mine'), [])
})
