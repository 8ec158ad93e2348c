import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { ConfidentialClientApplication, ProtocolMode } from '@azure/msal-node'
import { OAuth2Client } from '@badgateway/oauth2-client'
import axios from 'axios'
import { clientCredentials } from 'axios-oauth-client'
import { OAuth2Client as GoogleClient } from 'google-auth-library'
import { type CryptoKey, importPKCS8, SignJWT } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { ClientCredentials } from 'simple-oauth2'

/*
 * npm's clients as their documentation has them used: a new one each time, so that none has a token in hand. Those that can
 * sign do; the others have a secret, and one asks by a refresh token, since the URL of its other grants is fixed. Each that
 * takes a time limit is given that one.
 */
export const timeLimitMilliseconds = 2_000

/** The access token that it gives, whatever that is. */
export type Peer = (issuer: string) => Promise<unknown>

const clientId = 'theClient'
const secret = `client-secret-${randomUUID()}`
const refreshToken = `refresh-token-${randomUUID()}`
/** What no error may show. */
export const peerSecrets: readonly string[] = [
  secret,
  refreshToken,
  Buffer.from(`${clientId}:${secret}`).toString('base64'),
]

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const signingKey: CryptoKey = await importPKCS8(pkcs8, 'ES256')

function signAssertion(audience: string): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(audience)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('1 min')
    .sign(signingKey)
}

export const peers: Readonly<Record<string, Peer>> = {
  async 'openid-client'(issuer) {
    const server = { issuer, token_endpoint: `${issuer}/token` }
    const configuration = new openid.Configuration(server, clientId, undefined, openid.PrivateKeyJwt(signingKey))
    configuration.timeout = timeLimitMilliseconds / 1000
    return (await openid.clientCredentialsGrant(configuration)).access_token
  },

  async oauth4webapi(issuer) {
    const server = { issuer, token_endpoint: `${issuer}/token` }
    const client = { client_id: clientId }
    const options = { signal: () => AbortSignal.timeout(timeLimitMilliseconds) }
    const authentication = oauth.PrivateKeyJwt(signingKey)
    const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, {}, options)
    return (await oauth.processClientCredentialsResponse(server, client, response)).access_token
  },

  async '@azure/msal-node'(issuer) {
    const endpoints = ['authorization_endpoint', 'token_endpoint', 'end_session_endpoint', 'jwks_uri']
    const urls = Object.fromEntries(endpoints.map((name) => [name, `${issuer}/${name.replace('_endpoint', '')}`]))
    const application = new ConfidentialClientApplication({
      auth: {
        clientId,
        authority: issuer,
        knownAuthorities: [new URL(issuer).host],
        authorityMetadata: JSON.stringify({ issuer, ...urls }),
        clientAssertion: () => signAssertion(`${issuer}/token`),
      },
      system: { protocolMode: ProtocolMode.OIDC },
    })
    return (await application.acquireTokenByClientCredential({ scopes: ['orders'] }))?.accessToken
  },

  async 'simple-oauth2'(issuer) {
    const client = new ClientCredentials({
      client: { id: clientId, secret },
      auth: { tokenHost: issuer, tokenPath: '/token' },
      http: { timeout: timeLimitMilliseconds },
    })
    return (await client.getToken({})).token['access_token']
  },

  async 'google-auth-library'(issuer) {
    const client = new GoogleClient({
      clientId,
      clientSecret: secret,
      endpoints: { oauth2TokenUrl: `${issuer}/token` },
      transporterOptions: { timeout: timeLimitMilliseconds },
    })
    client.setCredentials({ refresh_token: refreshToken })
    return (await client.getAccessToken()).token
  },

  async '@badgateway/oauth2-client'(issuer) {
    const client = new OAuth2Client({ clientId, clientSecret: secret, tokenEndpoint: `${issuer}/token` })
    return (await client.clientCredentials()).accessToken
  },

  async 'axios-oauth-client'(issuer) {
    const get = clientCredentials(
      axios.create({ timeout: timeLimitMilliseconds }),
      `${issuer}/token`,
      clientId,
      secret,
    ) as (scope?: string) => Promise<Readonly<Record<string, unknown>>>
    return (await get())['access_token']
  },
}
