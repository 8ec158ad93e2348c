import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'
import { createHttpGateway, createLocalContext, type LambdaHandler } from '../../infra/local/http-gateway.ts'
import { listen } from '../../infra/local/listen.ts'
import type { Workspace } from '../../infra/local/workspace.ts'
import { secretPath } from '../../lib/adapters/files/file-secrets.ts'
import { rotationSteps } from '../../lib/key-lifecycle/rotate-key.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { type Caller, createWorkspace, startCaller } from '../support/functions/function-caller.ts'
import { loadFunction } from '../support/functions/load-function.ts'
import { plantSecrets } from '../support/output/canary.ts'
import { type KeySetReadingServer, startKeySetReadingServer } from '../support/servers/key-set-reading-server.ts'

const secretName = 'tokenwell/local/jwk/theBuilder'

/** All functions that have to do with a key, as they are wired, before a server that reads our JWK set. */
export interface RotatingFleet {
  readonly server: KeySetReadingServer
  /** Instances of `issue-token`. */
  readonly callers: readonly [Caller, Caller]
  /** How often the JWK set was asked for. */
  keySetRequests(): number
  /**
   * As Secrets Manager does it, with the event that it sends afterwards.
   * @returns the new key, and from when on it signs, in milliseconds since the epoch
   */
  rotate(): Promise<{ readonly kid: string; readonly signsFrom: number }>
}

/** Its first key signs. */
export async function startRotatingFleet(t: TestContext, publishAheadSeconds: number): Promise<RotatingFleet> {
  const certificate = await createServerCertificate(['localhost'])
  const environment = {
    TOKENWELL_CACHE: `memory:${randomUUID()}`,
    TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000',
  }
  let workspace: Workspace | undefined
  let keySetRequests = 0
  const server = await startKeySetReadingServer(t, certificate, async (issuer) => {
    const builder = { signatureAlgorithm: 'ES256', publishAheadSeconds }
    const made = await createWorkspace(t, exampleElements(issuer, { builder }), certificate)
    workspace = made
    const url = await publish(t, async (event, context) => {
      keySetRequests++
      // Another instance each time: one goes by what it has read for 30 s.
      return ((await loadFunction('publish-keys', made, environment)) as LambdaHandler)(event, context)
    })
    return {
      client_id: 'theClient',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks_uri: `${url}/jwt/theBuilder/jwk`,
    }
  })
  assert(workspace)
  const rotate = await loadRotation(workspace, environment)
  // As the stack makes it.
  await writeFile(pathOf(workspace), '{ "keys": [] }')
  await rotate()
  await server.readKeys()
  const callers = [await startCaller(workspace, environment), await startCaller(workspace, environment)] as const
  return { server, callers, keySetRequests: () => keySetRequests, rotate }
}

async function publish(t: TestContext, handler: LambdaHandler): Promise<string> {
  const gateway = createHttpGateway(handler)
  t.after(() => {
    gateway.closeAllConnections()
    gateway.close()
  })
  return `http://localhost:${await listen(gateway, 0, 'localhost')}`
}

async function loadRotation(
  workspace: Workspace,
  environment: Record<string, string>,
): Promise<RotatingFleet['rotate']> {
  const rotateKey = await loadFunction('rotate-key', workspace, environment)
  const refreshToken = await loadFunction('refresh-token', workspace, environment)
  return async () => {
    const token = randomUUID()
    for (const step of rotationSteps)
      await rotateKey({ Step: step, SecretId: secretName, ClientRequestToken: token }, createLocalContext(Date.now()))
    plantSecrets(workspace.secretsFolder)
    const message = { messageId: token, body: JSON.stringify(changed), attributes: { ApproximateReceiveCount: '1' } }
    const answer = await refreshToken({ Records: [message] }, createLocalContext(Date.now()))
    assert.deepEqual(answer, { batchItemFailures: [] })
    return newestKey(workspace)
  }
}

const changed = {
  source: 'aws.secretsmanager',
  'detail-type': 'Secret Label Updated',
  detail: { name: secretName, labelUpdated: 'AWSCURRENT' },
}

async function newestKey(workspace: Workspace) {
  const { keys } = JSON.parse(await readFile(pathOf(workspace), 'utf8')) as {
    readonly keys: readonly { readonly kid: string; readonly signsFrom: number }[]
  }
  const newest = keys.toSorted((a, b) => b.signsFrom - a.signsFrom)[0]
  assert(newest)
  return { kid: newest.kid, signsFrom: newest.signsFrom * 1000 }
}

function pathOf({ secretsFolder, deployment }: Workspace): string {
  return secretPath(secretsFolder, deployment.stage, secretName)
}
