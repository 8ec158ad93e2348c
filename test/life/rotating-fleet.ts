import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { type Caller, createWorkspace, startCaller } from '../support/functions/function-caller.ts'
import { type RotatingKeys, startRotatingKeys } from '../support/functions/rotating-keys.ts'
import { type KeySetReadingServer, startKeySetReadingServer } from '../support/servers/key-set-reading-server.ts'

/** All functions that use a signing key, with the product's own wiring, and a server that reads Tokenwell's JWK set. */
export interface RotatingFleet extends Pick<RotatingKeys, 'keySetRequests' | 'rotate'> {
  readonly server: KeySetReadingServer
  /** Instances of `issue-token`. */
  readonly callers: readonly [Caller, Caller]
}

/** Starts when the first key signs. */
export async function startRotatingFleet(t: TestContext, publishAheadSeconds: number): Promise<RotatingFleet> {
  const certificate = await createServerCertificate(['localhost'])
  const environment = {
    TOKENWELL_CACHE: `memory:${randomUUID()}`,
    TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000',
  }
  let started: { readonly keys: RotatingKeys; readonly startCaller: () => Promise<Caller> } | undefined
  const server = await startKeySetReadingServer(t, certificate, async (issuer) => {
    const builder = { signatureAlgorithm: 'ES256', publishAheadSeconds }
    const workspace = await createWorkspace(t, exampleElements(issuer, { builder }), certificate)
    const keys = await startRotatingKeys(t, workspace, environment)
    started = { keys, startCaller: () => startCaller(workspace, environment) }
    return {
      client_id: 'theClient',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks_uri: keys.jwksUri,
    }
  })
  assert(started)
  const { keys } = started
  await keys.rotate()
  await server.readKeys()
  return { ...keys, server, callers: [await started.startCaller(), await started.startCaller()] }
}
