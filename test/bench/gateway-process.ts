import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { ServerCertificate } from '../../infra/local/certificate-authority.ts'
import { createHttpGateway, type LambdaHandler } from '../../infra/local/http-gateway.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createBareWorkspace, loadFunction } from '../support/functions/load-function.ts'
import { createPeer } from './peers.ts'
import { tellAll, telling } from './tokenwell.ts'

/*
 * One client behind the local HTTP server, which passes it events as an HTTP API does. It sends its port to the parent.
 */

export interface Behind {
  readonly client: 'Tokenwell' | 'openid-client'
  readonly issuer: string
  readonly certificate: ServerCertificate
}

const cleanUps: (() => unknown)[] = []

process.once('message', (behind: Behind) => void start(behind))
process.once('disconnect', () => void end())

async function end(): Promise<void> {
  for (const cleanUp of cleanUps) await cleanUp()
  process.exit()
}

async function start(behind: Behind): Promise<void> {
  const { certificate } = behind
  setDefaultCACertificates([...getCACertificates('default'), certificate.caCertificate])
  const handler = behind.client === 'Tokenwell' ? await tokenwellHandler(behind) : await peerHandler(behind)
  const server = createHttpGateway(handler)
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
}

async function tokenwellHandler({ issuer, certificate }: Behind): Promise<LambdaHandler> {
  const t = { after: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
  const elements = exampleElements(issuer, { builder: { signatureAlgorithm: 'ES256' } })
  const workspace = await createBareWorkspace(t, elements, certificate)
  tellAll()
  return (await loadFunction('issue-token', workspace, telling)) as LambdaHandler
}

async function peerHandler({ client, issuer }: Behind): Promise<LambdaHandler> {
  const peer = await createPeer(client, issuer, 'ES256')
  return async () => {
    const body = JSON.stringify({ access_token: await peer.newToken(), token_type: 'Bearer' })
    return { statusCode: 200, headers: { 'content-type': 'application/json' }, body }
  }
}
