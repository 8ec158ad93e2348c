import { withRejectionTold } from '../../lib/token/tell-of-rejection.ts'
import { readGuardedEnvironment } from '../../lib/wiring/guarded-environment.ts'
import { openEarly } from '../../lib/wiring/open-early.ts'
import { openPorts } from '../../lib/wiring/open-ports.ts'
import { createParts } from '../../lib/wiring/parts.ts'
import { createHandler } from './handler.ts'

const environment = readGuardedEnvironment(process.env)
const ports = openPorts(environment)
await openEarly(ports)

const parts = createParts(ports)
const rejectToken = withRejectionTold(parts.rejectToken, ports)

export const handler = createHandler({ ...environment, ...ports, ...parts, rejectToken })
