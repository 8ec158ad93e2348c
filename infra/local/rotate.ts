import { randomUUID } from 'node:crypto'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { rotationSteps } from '../../lib/key-lifecycle/rotate-key.ts'
import { createLocalContext } from './http-gateway.ts'
import type { LocalFunctions } from './local-functions.ts'

/** The four steps, as Secrets Manager asks for them. Errors are those of `rotate-key`. */
export async function rotate(rotateKey: LocalFunctions['rotateKey'], stage: string, jwtBuilder: string): Promise<void> {
  const rotation = { SecretId: `${secretPrefix({ stage })}jwk/${jwtBuilder}`, ClientRequestToken: randomUUID() }
  for (const Step of rotationSteps) await rotateKey({ ...rotation, Step }, createLocalContext(Date.now()))
}
