import { readEnvironment } from '../../lib/wiring/environment.ts'
import { openStorePorts } from '../../lib/wiring/open-store-ports.ts'
import { createPublicationParts } from '../../lib/wiring/publication-parts.ts'
import { readVariables } from '../../lib/wiring/read-variables.ts'
import { createHandler } from './handler.ts'

const ports = openStorePorts(readVariables(process.env, readEnvironment))

export const handler = createHandler({ ...ports, ...createPublicationParts(ports) })
