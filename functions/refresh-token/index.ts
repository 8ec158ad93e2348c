import { openDeadLetters } from '../../lib/adapters/open-dead-letters.ts'
import { openPorts } from '../../lib/wiring/open-ports.ts'
import { createRenewalParts } from '../../lib/wiring/renewal-parts.ts'
import { readRefreshTokenEnvironment } from './environment.ts'
import { createHandler } from './handler.ts'

const environment = readRefreshTokenEnvironment(process.env)
const ports = openPorts(environment)
const deadLetters = openDeadLetters(environment.deadLetters)

export const handler = createHandler({ ...environment, ...ports, ...createRenewalParts(ports), deadLetters })
