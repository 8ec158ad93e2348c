import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { TestContext } from 'node:test'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { createHttpGateway, createLocalContext, type LambdaHandler } from '../../../infra/local/http-gateway.ts'
import { listen } from '../../../infra/local/listen.ts'
import type { Workspace } from '../../../infra/local/workspace.ts'
import { secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import { rotationSteps } from '../../../lib/key-lifecycle/rotate-key.ts'
import { plantSecrets } from '../output/canary.ts'
import { loadFunction } from './load-function.ts'

const secretName = 'tokenwell/local/jwk/theBuilder'

/** The key of `theBuilder`. The functions make, replace and publish it with the product's own wiring. */
export interface RotatingKeys {
  /** The URL of the JWK set. It uses TLS if there is a certificate for it. */
  readonly jwksUri: string
  /** The number of requests for the JWK set. */
  keySetRequests(): number
  /**
   * Rotates the key as Secrets Manager does, and sends the event that follows.
   * @returns the new key, and when it starts to sign, in milliseconds since the epoch
   */
  rotate(): Promise<{ readonly kid: string; readonly signsFrom: number }>
}

/** There is no key until the first rotation, as in a secret that the stack has just made. */
export async function startRotatingKeys(
  t: TestContext,
  workspace: Workspace,
  environment: Record<string, string>,
  certificate?: ServerCertificate,
): Promise<RotatingKeys> {
  let requests = 0
  const publishKeys: LambdaHandler = async (event, context) => {
    requests++
    // A new instance each time, because an instance relies on what it read for 30 s.
    return ((await loadFunction('publish-keys', workspace, environment)) as LambdaHandler)(event, context)
  }
  const origin = await publish(t, publishKeys, certificate)
  await writeFile(pathOf(workspace), '{ "keys": [] }')
  return {
    jwksUri: `${origin}/jwt/theBuilder/jwk`,
    keySetRequests: () => requests,
    rotate: await loadRotation(workspace, environment),
  }
}

async function publish(t: TestContext, handler: LambdaHandler, certificate?: ServerCertificate): Promise<string> {
  const gateway = createHttpGateway(handler)
  const server = certificate
    ? createServer({ cert: certificate.certificate, key: certificate.privateKey }, (request, response) => {
        gateway.emit('request', request, response)
      })
    : gateway
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `${certificate ? 'https' : 'http'}://localhost:${await listen(server, 0, 'localhost')}`
}

async function loadRotation(
  workspace: Workspace,
  environment: Record<string, string>,
): Promise<RotatingKeys['rotate']> {
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
