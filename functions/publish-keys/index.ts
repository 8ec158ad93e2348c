import { createPublicApplication } from '../../lib/application/application.ts'
import { readEnvironment } from '../../lib/application/environment.ts'
import { openStorePorts } from '../../lib/application/open-store-ports.ts'
import { createHandler } from './handler.ts'

const ports = openStorePorts(readEnvironment(process.env))

export const handler = createHandler({ ...ports, application: createPublicApplication(ports) })
