import { createApplication } from '../../lib/application/application.ts'
import { readEnvironment } from '../../lib/application/environment.ts'
import { openPorts } from '../../lib/application/open-ports.ts'
import { openEarly } from '../../lib/application/open-store-ports.ts'
import { createHandler } from './handler.ts'

const environment = readEnvironment(process.env)
const ports = openPorts(environment)
await openEarly(ports)

export const handler = createHandler({ ...environment, ...ports, application: createApplication(ports) })
