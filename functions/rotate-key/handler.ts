import type { Context } from 'aws-lambda'
import { describeFailure, errorToThrow } from '../../lib/base/tokenwell-error.ts'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import { type KeyRotator, type RotationRequest, readRotationRequest } from '../../lib/key-lifecycle/rotate-key.ts'
import type { Log } from '../../lib/log/log-event.ts'

/** Kept back from the function's time-out, so that a failure can be told. */
const reserveMilliseconds = 3_000

export interface HandlerParts {
  readonly keyRotator: KeyRotator
  readonly deployment: Deployment
  readonly now: () => number
  readonly log: Log
}

/**
 * Does the step that Secrets Manager asks for. What it throws Secrets Manager shows as the reason of a failed rotation.
 * @throws all that `KeyRotator.runStep` throws, and `UnexpectedError`
 */
export function createHandler(parts: HandlerParts): (event: unknown, context: Context) => Promise<void> {
  const { keyRotator, deployment, now, log } = parts
  return async (event, context) => {
    const startedAt = now()
    let request: RotationRequest | undefined
    try {
      request = readRotationRequest(event, deployment)
      await keyRotator.runStep(request, startedAt + context.getRemainingTimeInMillis() - reserveMilliseconds)
      const { jwtBuilder, step } = request
      log({ event: 'rotation_step_done', jwtBuilder, step, milliseconds: now() - startedAt })
    } catch (error) {
      const { jwtBuilder, step } = request ?? {}
      const asked = { ...(jwtBuilder !== undefined && { jwtBuilder }), ...(step !== undefined && { step }) }
      log({ event: 'rotation_failed', ...asked, ...describeFailure(error) })
      throw errorToThrow(error)
    }
  }
}
