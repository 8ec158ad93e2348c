import { createRenewalParts } from '../../lib/application/application.ts'
import { readEnvironment, readVariables } from '../../lib/application/environment.ts'
import { openPorts } from '../../lib/application/open-ports.ts'
import { createHandler } from './handler.ts'

const ports = openPorts(readVariables(process.env, readEnvironment))

export const handler = createHandler({ ...ports, ...createRenewalParts(ports) })
