import { withRejectionTold } from '../../lib/token/tell-of-rejection.ts'
import { openPorts } from '../../lib/wiring/open-ports.ts'
import { createParts } from '../../lib/wiring/parts.ts'
import { readIssueTokenEnvironment } from './environment.ts'
import { createHandler } from './handler.ts'

const environment = readIssueTokenEnvironment(process.env)
const ports = openPorts(environment)

const parts = createParts(ports)
const rejectToken = withRejectionTold(parts.rejectToken, ports)

export const handler = createHandler({ ...environment, ...ports, ...parts, rejectToken })
