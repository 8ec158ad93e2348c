import { undiciApiEndpoint } from '../adapters/undici-api-endpoint.ts'
import { createCallApi } from '../api-call/call-api.ts'
import { createParts, type Ports } from './parts.ts'

/** What it takes to make an API's call with a connection's token. */
export function createApiCallParts(ports: Ports) {
  const { connections, secrets, now, pause, log } = ports
  const { getToken } = createParts(ports)
  const apiEndpoint = undiciApiEndpoint(secrets, now)
  return { callApi: createCallApi({ connections, getToken, apiEndpoint, now, pause, log }) }
}
