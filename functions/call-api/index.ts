import { createApiCallParts } from '../../lib/wiring/api-call-parts.ts'
import { readGuardedEnvironment } from '../../lib/wiring/guarded-environment.ts'
import { openPorts } from '../../lib/wiring/open-ports.ts'
import { createHandler } from './handler.ts'

const environment = readGuardedEnvironment(process.env)
const ports = openPorts(environment)

export const handler = createHandler({ ...environment, ...ports, ...createApiCallParts(ports) })
