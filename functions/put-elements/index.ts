import { readEnvironment } from '../../lib/application/environment.ts'
import { openElementDeployment } from '../../lib/application/open-element-deployment.ts'
import { createHandler } from './handler.ts'

export const handler = createHandler(openElementDeployment(readEnvironment(process.env)))
