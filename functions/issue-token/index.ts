import { openPorts } from '../../lib/wiring/open-ports.ts'
import { createParts } from '../../lib/wiring/parts.ts'
import { readIssueTokenEnvironment } from './environment.ts'
import { createHandler } from './handler.ts'

const environment = readIssueTokenEnvironment(process.env)
const ports = openPorts(environment)

export const handler = createHandler({ ...environment, ...ports, ...createParts(ports) })
