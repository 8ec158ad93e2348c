import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client'
import { clientId, type SetUp, secret } from './peer.ts'

export const setUp: SetUp = async (issuer) => {
  const client = new OAuth2Client({ clientId, clientSecret: secret, tokenEndpoint: `${issuer}/token` })
  const wrapper = new OAuth2Fetch({ client, getNewToken: () => client.clientCredentials(), scheduleRefresh: false })
  return {
    newToken: async () => (await client.clientCredentials()).accessToken,
    heldToken: () => wrapper.getAccessToken(),
  }
}
