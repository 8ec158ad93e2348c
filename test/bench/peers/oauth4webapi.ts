import * as oauth from 'oauth4webapi'
import { clientId, type SetUp, timeLimitMilliseconds } from './peer.ts'

export const setUp: SetUp = async (issuer, signing) => {
  const { key } = await signing()
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
}
