import type { Context } from 'aws-lambda'
import type { BackgroundApplication } from '../../lib/application/application.ts'
import { describeFailure, errorToThrow } from '../../lib/base/tokenwell-error.ts'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import { type RotationRequest, readRotationRequest } from '../../lib/key-lifecycle/rotate-key.ts'
import type { Log } from '../../lib/log/log-event.ts'

/** Reserved before the function's time-out, so that a failure can be logged. */
const failureReserveMilliseconds = 3_000

interface HandlerDependencies {
  readonly application: Pick<BackgroundApplication, 'rotateKey'>
  readonly deployment: Deployment
  readonly now: () => number
  readonly log: Log
}

/** Runs the step that Secrets Manager asks for. Secrets Manager shows the error as the reason of a failed rotation. */
export function createHandler({ application, deployment, now, log }: HandlerDependencies) {
  /** @throws the error that kept the step from being done, or `UnexpectedError` */
  return async function rotateKey(event: unknown, context: Context): Promise<void> {
    const startedAt = now()
    const deadline = startedAt + context.getRemainingTimeInMillis() - failureReserveMilliseconds
    let request: RotationRequest | undefined
    try {
      request = readRotationRequest(event, deployment)
      await application.rotateKey(request, deadline)
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
