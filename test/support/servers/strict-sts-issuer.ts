import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { exportJWK, type JWTPayload, SignJWT } from 'jose'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { AwsRefusal } from './aws-refusal.ts'
import { type ReceivedCall, type ScriptedAnswer, startScriptedApi } from './scripted-api.ts'

/*
 * The issuer of an account's web identity tokens, with the documents that AWS's issuer publishes.
 * Documented: the algorithms, `/.well-known/openid-configuration` and `/.well-known/jwks.json`.
 * Seen in copies of real documents and tokens: the members of both documents, that the RSA key has no `alg`, the key ids, and that a
 * token has no `nbf`. Seen by a probe of the real service (github.com/radkawar/stackd): the size limit.
 * Assumed: nothing else.
 */

export interface StrictStsIssuer {
  /** The `iss` of the account. AWS's is `https://<uuid>.tokens.sts.global.api.aws`. */
  readonly issuer: string
  readonly certificate: ServerCertificate
  /** The public keys as `JWKS`, for servers that cannot fetch them. */
  keySet(): Promise<{ readonly keys: readonly object[] }>
  /** @throws {AwsRefusal} if the claims are too large */
  sign(algorithm: WebIdentityAlgorithm, claims: JWTPayload): Promise<string>
  /** Each key set has the former keys as well. */
  addKeys(): void
  /** The requests for its documents, in order. */
  readonly requests: readonly string[]
}

export type WebIdentityAlgorithm = 'RS256' | 'ES384'

const largestPayloadBytes = 14_984

export async function startStrictStsIssuer(t: TestContext, certificate?: ServerCertificate): Promise<StrictStsIssuer> {
  const requests: string[] = []
  const pairs: { readonly kid: string; readonly algorithm: WebIdentityAlgorithm; readonly key: KeyObject }[] = []

  function addKeys(): void {
    const number = pairs.length / 2
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    pairs.unshift(
      { kid: `RSA_${number}`, algorithm: 'RS256', key: rsa.privateKey },
      { kid: `EC384_${number}`, algorithm: 'ES384', key: ec.privateKey },
    )
  }
  addKeys()

  async function keySet() {
    const keys = pairs.map(async ({ kid, algorithm, key }) => {
      const { kty, n, e, crv, x, y } = await exportJWK(key)
      return algorithm === 'RS256'
        ? { kty, n, e, kid, use: 'sig' }
        : { kty, crv, x, y, kid, use: 'sig', alg: algorithm }
    })
    return { keys: await Promise.all(keys) }
  }

  async function answer({ method, url }: ReceivedCall): Promise<ScriptedAnswer> {
    requests.push(`${method} ${url}`)
    if (method !== 'GET') return { status: 405 }
    if (url === '/.well-known/jwks.json') return { body: await keySet() }
    if (url === '/.well-known/openid-configuration') return { body: discovery(server.origin) }
    return { status: 404 }
  }

  const server = await startScriptedApi(t, answer, certificate && { certificate })
  return {
    issuer: server.origin,
    certificate: server.certificate,
    requests,
    keySet,
    addKeys,
    async sign(algorithm, claims) {
      const payload = { ...claims, iss: server.origin, jti: randomUUID() }
      if (Buffer.byteLength(JSON.stringify(payload)) > largestPayloadBytes)
        throw new AwsRefusal('JWTPayloadSizeExceededException', 'JWT payload exceeds maximum allowed size')
      const pair = pairs.find((each) => each.algorithm === algorithm)
      if (!pair) throw new Error(`There is no key for ${algorithm}.`)
      return await new SignJWT(payload).setProtectedHeader({ kid: pair.kid, typ: 'JWT', alg: algorithm }).sign(pair.key)
    },
  }
}

/** It has no `token_endpoint`: nobody can ask this issuer for a token. */
function discovery(issuer: string) {
  return {
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'jti', 'https://sts.amazonaws.com/'],
    id_token_signing_alg_values_supported: ['RS256', 'ES384'],
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    subject_types_supported: ['public'],
  }
}
