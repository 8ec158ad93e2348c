import { readEnvironment } from '../../lib/wiring/environment.ts'
import { openPorts } from '../../lib/wiring/open-ports.ts'
import { readVariables } from '../../lib/wiring/read-variables.ts'
import { createRotationParts } from '../../lib/wiring/rotation-parts.ts'
import { createHandler } from './handler.ts'

const ports = openPorts(readVariables(process.env, readEnvironment))

export const handler = createHandler({ ...ports, ...createRotationParts(ports) })
