import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { decodeProtectedHeader } from 'jose'
import type Provider from 'oidc-provider'
import type { ClientMetadata } from 'oidc-provider'
import { type AuthorizationServer, startAuthorizationServer } from '../../../infra/local/authorization-server.ts'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'

/** How long the server relies on a JWK set that it has read. */
export const keySetMilliseconds = 2_000

/**
 * A real authorization server that reads the keys of its one client from `jwks_uri`. It reads them again only when they
 * are too old, and refuses an unknown `kid`.
 */
export interface KeySetReadingServer extends AuthorizationServer {
  /** The number of assertions that it accepted and refused, by `kid`. */
  readonly taken: ReadonlyMap<string, number>
  readonly refused: ReadonlyMap<string, number>
  /** Reads the JWK set now, and from then on each time that it is too old. */
  readKeys(everyMilliseconds?: number): Promise<void>
}

/** A client's JWK set in oidc-provider. It keeps it for at least a minute, or for longer if the answer allows it. */
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
    // Not with the dispatcher of oidc-provider, which blocks requests to this machine.
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
      // A failed read shows where its keys are needed.
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
