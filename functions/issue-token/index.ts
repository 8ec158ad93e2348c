import { createParts } from '../../lib/application/application.ts'
import { readGuardedEnvironment } from '../../lib/application/environment.ts'
import { openPorts } from '../../lib/application/open-ports.ts'
import { openEarly } from '../../lib/application/open-store-ports.ts'
import { withRejectionTold } from '../../lib/get-token/reject-token.ts'
import { createHandler } from './handler.ts'

const environment = readGuardedEnvironment(process.env)
const ports = openPorts(environment)
await openEarly(ports)

const parts = createParts(ports)
const rejectToken = withRejectionTold(parts.rejectToken, ports)

export const handler = createHandler({ ...environment, ...ports, ...parts, rejectToken })
