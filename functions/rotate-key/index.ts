import { createBackgroundApplication } from '../../lib/application/application.ts'
import { readEnvironment } from '../../lib/application/environment.ts'
import { openPorts } from '../../lib/application/open-ports.ts'
import { createHandler } from './handler.ts'

const ports = openPorts(readEnvironment(process.env))

export const handler = createHandler({ ...ports, application: createBackgroundApplication(ports) })
