import axios from 'axios'
import { clientCredentials } from 'axios-oauth-client'
import { clientId, type SetUp, secret, timeLimitMilliseconds } from './peer.ts'

export const setUp: SetUp = async (issuer) => {
  const get = clientCredentials(
    axios.create({ timeout: timeLimitMilliseconds }),
    `${issuer}/token`,
    clientId,
    secret,
  ) as (scope?: string) => Promise<Readonly<Record<string, unknown>>>
  return { newToken: async () => (await get())['access_token'] }
}
