import { undiciApiEndpoint } from '../../lib/adapters/http/undici-api-endpoint.ts'
import { createCallingApplication } from '../../lib/application/application.ts'
import { readEnvironment } from '../../lib/application/environment.ts'
import { openPorts } from '../../lib/application/open-ports.ts'
import { openEarly } from '../../lib/application/open-store-ports.ts'
import { createHandler } from './handler.ts'

const environment = readEnvironment(process.env)
const ports = openPorts(environment)
const apiEndpoint = undiciApiEndpoint(ports.secrets, ports.now)
await openEarly(ports)

export const handler = createHandler({
  ...environment,
  ...ports,
  application: createCallingApplication({ ...ports, apiEndpoint }),
})
