import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { decodeProtectedHeader } from 'jose'
import type Provider from 'oidc-provider'
import type { ClientMetadata } from 'oidc-provider'
import { type AuthorizationServer, startAuthorizationServer } from '../../../infra/local/authorization-server.ts'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'

/** For so long the server goes by a JWK set that it has read. */
export const keySetMilliseconds = 2_000

/**
 * A real authorization server that reads the keys of its one client from where `jwks_uri` says. It reads them again by age
 * alone: a `kid` that it doesn't know it refuses.
 */
export interface KeySetReadingServer extends AuthorizationServer {
  /** How many assertions it has taken and refused, by `kid`. */
  readonly taken: ReadonlyMap<string, number>
  readonly refused: ReadonlyMap<string, number>
  /** Reads the set now, and from then on whenever it is too old. */
  readKeys(everyMilliseconds?: number): Promise<void>
}

/** What oidc-provider keeps of a client's JWK set: by itself for at least a minute, and for longer where we allow it. */
interface KeySet {
  freshUntil?: number
  refresh(): Promise<void>
}

export async function startKeySetReadingServer(
  t: TestContext,
  certificate: ServerCertificate,
  client: (issuer: string) => Promise<ClientMetadata>,
): Promise<KeySetReadingServer> {
  let clientId = ''
  const server = await startAuthorizationServer({
    port: 0,
    certificate,
    users: new Map(),
    // Without the dispatcher that oidc-provider hands over, which keeps it from this machine.
    fetch: (url, { headers = {}, signal = null } = {}) => fetch(url, { headers, signal }),
    async clients(issuer) {
      const metadata = await client(issuer)
      clientId = metadata.client_id
      return [metadata]
    },
  })
  let timer: NodeJS.Timeout | undefined
  t.after(() => {
    clearInterval(timer)
    return server.close()
  })

  const readAgain = async () => {
    const keySet = await keySetOf(server.provider, clientId)
    keySet.freshUntil = 0
    await keySet.refresh()
  }
  return {
    ...server,
    ...countAssertions(server.provider),
    async readKeys(everyMilliseconds = keySetMilliseconds) {
      clearInterval(timer)
      await readAgain()
      // One that can't be read is missed where its keys are needed.
      timer = setInterval(() => void readAgain().catch(() => {}), everyMilliseconds)
    },
  }
}

async function keySetOf(provider: Provider, clientId: string): Promise<KeySet> {
  const client = (await provider.Client.find(clientId)) as unknown as { readonly asymmetricKeyStore: KeySet }
  assert.equal(typeof client.asymmetricKeyStore.refresh, 'function')
  return client.asymmetricKeyStore
}

function countAssertions(provider: Provider): Pick<KeySetReadingServer, 'taken' | 'refused'> {
  const taken = new Map<string, number>()
  const refused = new Map<string, number>()
  const count = (counts: Map<string, number>, assertion: unknown) => {
    const { kid = '' } = decodeProtectedHeader(String(assertion))
    counts.set(kid, (counts.get(kid) ?? 0) + 1)
  }
  provider.on('grant.success', ({ oidc }) => count(taken, oidc.params?.['client_assertion']))
  provider.on('grant.error', ({ oidc }) => count(refused, oidc.params?.['client_assertion']))
  return { taken, refused }
}
