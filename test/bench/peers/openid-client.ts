import * as openid from 'openid-client'
import { clientId, type SetUp, timeLimitMilliseconds } from './peer.ts'

export const setUp: SetUp = async (issuer, signing) => {
  const { key } = await signing()
  const server = { issuer, token_endpoint: `${issuer}/token` }
  const configuration = new openid.Configuration(server, clientId, undefined, openid.PrivateKeyJwt(key))
  configuration.timeout = timeLimitMilliseconds / 1000
  return { newToken: async () => (await openid.clientCredentialsGrant(configuration)).access_token }
}
