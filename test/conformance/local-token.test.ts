import assert from 'node:assert/strict'
import { constants, createHmac, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import type { Workspace } from '../../infra/local/workspace.ts'
import { secretPath } from '../../lib/adapters/files/file-secrets.ts'
import { isSharedKeyAlgorithm, signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { localTokenElements } from '../support/elements/local-token-elements.ts'
import { createWorkspace, startCaller } from '../support/functions/function-caller.ts'
import { tokenRequest, writeSecret } from '../support/functions/load-function.ts'

/* A token that Tokenwell signs, as an API verifies it that has neither Tokenwell's code nor its library: by Node.js alone. */

const shared = 'a shared key that is at least as long as the digest of HS512, 64 bytes'

/** The parts of a compact JWS (RFC 7515 section 7.1). */
function partsOf(token: string) {
  const [header = '', claims = '', signature = '', ...more] = token.split('.')
  assert.deepEqual(more, [])
  const read = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString())
  return {
    header: read(header),
    claims: read(claims),
    input: Buffer.from(`${header}.${claims}`),
    signature: Buffer.from(signature, 'base64url'),
  }
}

/** RFC 7518 section 3 and RFC 8037 section 3.1. */
function isSignedBy(key: KeyObject, algorithm: string, input: Buffer, signature: Buffer): boolean {
  const digest = `sha${algorithm.slice(2)}`
  const saltLength = Number(algorithm.slice(2)) / 8
  switch (algorithm.slice(0, 2)) {
    case 'RS':
      return verify(digest, input, key, signature)
    case 'PS':
      return verify(digest, input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature)
    case 'ES':
      return verify(digest, input, { key, dsaEncoding: 'ieee-p1363' }, signature)
    default:
      return verify(null, input, key, signature)
  }
}

/** The public half of the key that Tokenwell has made. */
function publicKeyIn({ secretsFolder }: Workspace, kid: string): KeyObject {
  const { keys } = JSON.parse(
    readFileSync(secretPath(secretsFolder, 'local', 'tokenwell/local/jwk/theBuilder'), 'utf8'),
  )
  const { kty, crv, x, y, n, e } = keys.find((each: { readonly kid: unknown }) => each.kid === kid)
  return createPublicKey({ key: { kty, crv, x, y, n, e }, format: 'jwk' })
}

async function start(t: TestContext, signatureAlgorithm: string) {
  const isShared = signatureAlgorithm.startsWith('HS')
  const key = isShared ? { jwkEnabled: undefined, sharedKey: 'tokenwell/local/shared' } : {}
  const elements = localTokenElements({
    builder: { jti: false, signatureAlgorithm, ...key },
    token: { tokenSubject: 'theSubject', claims: { list: ['GET /v1/apps', 7], nested: { text: 'ä 😀' } } },
  })
  const workspace = await createWorkspace(t, elements)
  if (isShared) await writeSecret(workspace, 'shared', shared)
  const { http } = await startCaller(workspace)
  const { status, body } = await http(tokenRequest('conn'))
  assert.equal(status, 200, JSON.stringify(body))
  return { workspace, ...partsOf(String(body['access_token'])) }
}

for (const algorithm of signatureAlgorithms)
  test(`an API that knows the key verifies a token signed by ${algorithm}, and its claims`, async (t) => {
    const { header, claims, input, signature, workspace } = await start(t, algorithm)
    const { iat, exp, ...others } = claims
    assert.equal(Number(exp) - Number(iat), 120)
    assert.deepEqual(others, {
      ...{ iss: 'theIssuer', aud: 'theApi', sub: 'theSubject' },
      ...{ list: ['GET /v1/apps', 7], nested: { text: 'ä 😀' } },
    })
    assert.deepEqual([header['alg'], header['typ']], [algorithm, 'JWT'])
    if (isSharedKeyAlgorithm(algorithm)) {
      assert.deepEqual(
        createHmac(`sha${algorithm.slice(2)}`, shared)
          .update(input)
          .digest(),
        signature,
      )
      return
    }
    const key = publicKeyIn(workspace, String(header['kid']))
    assert.ok(isSignedBy(key, algorithm, input, signature))
    assert.ok(!isSignedBy(key, algorithm, Buffer.concat([input, Buffer.from('x')]), signature))
  })
