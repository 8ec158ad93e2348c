import { OAuth2Client } from 'google-auth-library'
import { clientId, refreshToken, type SetUp, secret, timeLimitMilliseconds } from './peer.ts'

/** It uses a refresh token, because the URL of its other grants is fixed. */
export const setUp: SetUp = async (issuer) => {
  const client = new OAuth2Client({
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
}
