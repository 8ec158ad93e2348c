import { createApiCallParts } from '../../lib/wiring/api-call-parts.ts'
import { readGuardedEnvironment } from '../../lib/wiring/guarded-environment.ts'
import { openEarly } from '../../lib/wiring/open-early.ts'
import { openPorts } from '../../lib/wiring/open-ports.ts'
import { createHandler } from './handler.ts'

const environment = readGuardedEnvironment(process.env)
const ports = openPorts(environment)
await openEarly(ports)

export const handler = createHandler({ ...environment, ...ports, ...createApiCallParts(ports) })
