import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { ConfidentialClientApplication, ProtocolMode } from '@azure/msal-node'
import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client'
import axios from 'axios'
import { clientCredentials } from 'axios-oauth-client'
import { OAuth2Client as GoogleClient } from 'google-auth-library'
import { type CryptoKey, importPKCS8, SignJWT } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { ClientCredentials } from 'simple-oauth2'

/*
 * npm's clients as their documentation has them used. Those that can sign do; the others have a secret, and one asks by a
 * refresh token, since the URL of its other grants is fixed. Each that takes a time limit is given that one.
 */
export const timeLimitMilliseconds = 2_000

export interface Peer {
  /** One that the server issues for that. */
  newToken(): Promise<unknown>
  /** The one that it has; absent where it keeps none. */
  heldToken?(): Promise<unknown>
}

export type PeerAlgorithm = 'ES256' | 'RS256'

/** How one is set up for a server. */
type SetUp = (issuer: string, signing: Signing) => Peer

interface Signing {
  readonly algorithm: PeerAlgorithm
  readonly key: CryptoKey
}

const clientId = 'theClient'
const secret = `client-secret-${randomUUID()}`
const refreshToken = `refresh-token-${randomUUID()}`
/** What no error may show. */
export const peerSecrets: readonly string[] = [
  secret,
  refreshToken,
  Buffer.from(`${clientId}:${secret}`).toString('base64'),
]

/** Those that authenticate by a signature. */
export const signingPeers: readonly string[] = ['openid-client', 'oauth4webapi', '@azure/msal-node']

/** A client of that name, without a token. */
export async function createPeer(name: string, issuer: string, algorithm: PeerAlgorithm): Promise<Peer> {
  const setUp = setUps[name]
  if (!setUp) throw new Error(`There is no client ${name}.`)
  return setUp(issuer, { algorithm, key: await importPKCS8(pkcs8Of(algorithm), algorithm) })
}

function pkcs8Of(algorithm: PeerAlgorithm): string {
  const { privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2_048 })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function signAssertion(audience: string, { algorithm, key }: Signing): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: algorithm })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(audience)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('1 min')
    .sign(key)
}

const setUps: Readonly<Record<string, SetUp>> = {
  'openid-client'(issuer, { key }) {
    const server = { issuer, token_endpoint: `${issuer}/token` }
    const configuration = new openid.Configuration(server, clientId, undefined, openid.PrivateKeyJwt(key))
    configuration.timeout = timeLimitMilliseconds / 1000
    return { newToken: async () => (await openid.clientCredentialsGrant(configuration)).access_token }
  },

  oauth4webapi(issuer, { key }) {
    const server = { issuer, token_endpoint: `${issuer}/token` }
    const client = { client_id: clientId }
    const options = { signal: () => AbortSignal.timeout(timeLimitMilliseconds) }
    const authentication = oauth.PrivateKeyJwt(key)
    return {
      async newToken() {
        const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, {}, options)
        return (await oauth.processClientCredentialsResponse(server, client, response)).access_token
      },
    }
  },

  '@azure/msal-node'(issuer, signing) {
    const endpoints = ['authorization_endpoint', 'token_endpoint', 'end_session_endpoint', 'jwks_uri']
    const urls = Object.fromEntries(endpoints.map((name) => [name, `${issuer}/${name.replace('_endpoint', '')}`]))
    const application = new ConfidentialClientApplication({
      auth: {
        clientId,
        authority: issuer,
        knownAuthorities: [new URL(issuer).host],
        authorityMetadata: JSON.stringify({ issuer, ...urls }),
        clientAssertion: () => signAssertion(`${issuer}/token`, signing),
      },
      system: { protocolMode: ProtocolMode.OIDC },
    })
    const acquire = async (skipCache: boolean) =>
      (await application.acquireTokenByClientCredential({ scopes: ['orders'], skipCache }))?.accessToken
    return { newToken: () => acquire(true), heldToken: () => acquire(false) }
  },

  'simple-oauth2'(issuer) {
    const client = new ClientCredentials({
      client: { id: clientId, secret },
      auth: { tokenHost: issuer, tokenPath: '/token' },
      http: { timeout: timeLimitMilliseconds },
    })
    return { newToken: async () => (await client.getToken({})).token['access_token'] }
  },

  'google-auth-library'(issuer) {
    const client = new GoogleClient({
      clientId,
      clientSecret: secret,
      endpoints: { oauth2TokenUrl: `${issuer}/token` },
      transporterOptions: { timeout: timeLimitMilliseconds },
    })
    client.setCredentials({ refresh_token: refreshToken })
    const heldToken = async () => (await client.getAccessToken()).token
    return {
      newToken() {
        client.setCredentials({ refresh_token: refreshToken })
        return heldToken()
      },
      heldToken,
    }
  },

  '@badgateway/oauth2-client'(issuer) {
    const client = new OAuth2Client({ clientId, clientSecret: secret, tokenEndpoint: `${issuer}/token` })
    const wrapper = new OAuth2Fetch({ client, getNewToken: () => client.clientCredentials(), scheduleRefresh: false })
    return {
      newToken: async () => (await client.clientCredentials()).accessToken,
      heldToken: () => wrapper.getAccessToken(),
    }
  },

  'axios-oauth-client'(issuer) {
    const get = clientCredentials(
      axios.create({ timeout: timeLimitMilliseconds }),
      `${issuer}/token`,
      clientId,
      secret,
    ) as (scope?: string) => Promise<Readonly<Record<string, unknown>>>
    return { newToken: async () => (await get())['access_token'] }
  },
}

export const peerNames: readonly string[] = Object.keys(setUps)
