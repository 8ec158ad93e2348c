import { createPublicationParts } from '../../lib/application/application.ts'
import { readEnvironment, readVariables } from '../../lib/application/environment.ts'
import { openStorePorts } from '../../lib/application/open-store-ports.ts'
import { createHandler } from './handler.ts'

const ports = openStorePorts(readVariables(process.env, readEnvironment))

export const handler = createHandler({ ...ports, ...createPublicationParts(ports) })
