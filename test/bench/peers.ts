import { generateKeyPairSync } from 'node:crypto'
import { importPKCS8 } from 'jose'
import { setUp as axiosOauthClient } from './peers/axios-oauth-client.ts'
import { setUp as googleAuthLibrary } from './peers/google-auth-library.ts'
import { setUp as msalNode } from './peers/msal-node.ts'
import { setUp as oauth2Client } from './peers/oauth2-client.ts'
import { setUp as oauth4webapi } from './peers/oauth4webapi.ts'
import { setUp as openidClient } from './peers/openid-client.ts'
import { clientId, type Peer, type PeerAlgorithm, refreshToken, type SetUp, secret } from './peers/peer.ts'
import { setUp as simpleOauth2 } from './peers/simple-oauth2.ts'

export { type PeerAlgorithm, timeLimitMilliseconds } from './peers/peer.ts'

/*
 * Clients from npm, used as their documentation says, each in a file named after its package. Clients that can sign do
 * so. The others use a secret.
 */

/** Secrets that no error may show. */
export const peerSecrets: readonly string[] = [
  secret,
  refreshToken,
  Buffer.from(`${clientId}:${secret}`).toString('base64'),
]

const setUps: Readonly<Record<string, SetUp>> = {
  'openid-client': openidClient,
  oauth4webapi,
  '@azure/msal-node': msalNode,
  'simple-oauth2': simpleOauth2,
  'google-auth-library': googleAuthLibrary,
  '@badgateway/oauth2-client': oauth2Client,
  'axios-oauth-client': axiosOauthClient,
}

export const peerNames: readonly string[] = Object.keys(setUps)

/** The clients that authenticate with a signature. */
export const signingPeers: readonly string[] = ['openid-client', 'oauth4webapi', '@azure/msal-node']

/** Its file, relative to this folder. */
export function fileOf(peer: string): string {
  return `peers/${peer.replace(/^@.*\//, '')}.ts`
}

/** Creates a client of that name, which has no token yet. */
export async function createPeer(name: string, issuer: string, algorithm: PeerAlgorithm): Promise<Peer> {
  const setUp = setUps[name]
  if (!setUp) throw new Error(`There is no client ${name}.`)
  return setUp(issuer, async () => ({ algorithm, key: await importPKCS8(pkcs8Of(algorithm), algorithm) }))
}

function pkcs8Of(algorithm: PeerAlgorithm): string {
  const { privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2_048 })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
