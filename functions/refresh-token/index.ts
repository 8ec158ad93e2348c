import { createBackgroundApplication } from '../../lib/application/application.ts'
import { readEnvironment } from '../../lib/application/environment.ts'
import { openDeadLetters } from '../../lib/application/open-dead-letters.ts'
import { openPorts } from '../../lib/application/open-ports.ts'
import { createHandler } from './handler.ts'

const environment = readEnvironment(process.env)
const ports = openPorts(environment)
const deadLetters = openDeadLetters(environment.deadLetters)

export const handler = createHandler({ ...ports, deadLetters, application: createBackgroundApplication(ports) })
