import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { decodeJwt } from 'jose'
import type { JWK } from 'oidc-provider'
import { kmsKeyService } from '../../lib/adapters/aws/kms-key-service.ts'
import type { KmsKeyReference } from '../../lib/configuration/assertion-configuration.ts'
import type { SignatureAlgorithm } from '../../lib/configuration/signature-algorithm.ts'
import { createSignedAssertions } from '../../lib/signing/assertion.ts'
import { createKmsSigners } from '../../lib/signing/kms-signers.ts'
import { publicJwkOf } from '../../lib/signing/public-jwk.ts'
import { keyIdOf } from '../../lib/signing/signing-key.ts'
import { plainAssertion } from '../support/elements/plain-connection.ts'
import { setEnvironment } from '../support/process/this-process.ts'
import {
  type ConfigurableAuthorizationServer,
  createTlsClient,
} from '../support/servers/configurable-authorization-server.ts'
import { startStageKeys } from '../support/servers/stage-keys.ts'
import type { KeySpec } from '../support/servers/strict-kms.ts'

const specs: readonly (readonly [KeySpec, readonly SignatureAlgorithm[]])[] = [
  ['RSA_2048', ['RS256', 'PS256']],
  ['ECC_NIST_P256', ['ES256']],
  ['ECC_NIST_P384', ['ES384']],
  ['ECC_NIST_P521', ['ES512']],
]
/** About one ECDSA signature of 128 has an r or s that begins with a zero. */
const signaturesOfEach = 20

/** A client whose key is in KMS, for each algorithm: the server has its public key and verifies each signature with code of its own. */
export async function acceptsSignaturesOfKms(t: TestContext, server: ConfigurableAuthorizationServer): Promise<void> {
  const { kms, environment } = await startStageKeys(t, { names: specs.map(([spec]) => spec) })
  setEnvironment(t, environment)
  const timeouts = { connect: 60_000, answer: 60_000, total: 60_000 }
  const keyService = kmsKeyService({ timeouts })
  const signers = createKmsSigners({ keyService, pinnedKeys: { read: async () => [] }, now: Date.now })
  const client = createTlsClient(t, server.certificate)
  for (const [spec, algorithms] of specs) {
    const kmsAlias = `alias/tokenwell/local/${spec}`
    kms.pointAlias(kmsAlias, kms.createKey(spec))
    const key: KmsKeyReference = { jwtBuilder: 'theBuilder', kmsAlias, publishAheadSeconds: 0 }
    const { publicKey } = await keyService.publicKey(kmsAlias)
    for (const algorithm of algorithms) {
      const clientId = `kms-${algorithm}`
      const jwk = publicJwkOf({ publicKey, keyId: keyIdOf(publicKey), certificates: [] }, algorithm, Date.now())
      await server.register({
        client_id: clientId,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: algorithm,
        jwks: { keys: [jwk as JWK] },
      })
      const identity = { issuer: clientId, subject: clientId, audiences: [server.issuer] }
      const assertion = plainAssertion({ ...identity, algorithm, key })
      const maker = createSignedAssertions(assertion, await signers.current(key, algorithm))
      for (let index = 0; index < signaturesOfEach; index++) {
        const signed = await maker.make({ now: Date.now(), jwtId: `${clientId}-${index}` })
        const form = {
          grant_type: 'client_credentials',
          client_id: clientId,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: signed.assertion.reveal(),
        }
        const { access_token: token } = await client.readJson(server.tokenEndpoint, { form })
        const { azp, sub } = decodeJwt(String(token))
        assert.equal(azp ?? sub, clientId)
      }
    }
  }
}
