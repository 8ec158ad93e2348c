import { ClientCredentials } from 'simple-oauth2'
import { clientId, type SetUp, secret, timeLimitMilliseconds } from './peer.ts'

export const setUp: SetUp = async (issuer) => {
  const client = new ClientCredentials({
    client: { id: clientId, secret },
    auth: { tokenHost: issuer, tokenPath: '/token' },
    http: { timeout: timeLimitMilliseconds },
  })
  return { newToken: async () => (await client.getToken({})).token['access_token'] }
}
